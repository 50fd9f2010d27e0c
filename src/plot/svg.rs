//! The SVG form: maps as embedded PNG images, frames as lines, text as text.

use super::colours::Rgb;
use super::device::encode;
use super::figure::{Anchor, Curve, Figure, Image, Stroke, Text};
use crate::error::Result;
use std::fmt::Write;

/// Writes `figure`. Writing to a String cannot fail, so the results of `writeln!` are dropped.
pub(super) fn document(figure: &Figure) -> Result<String> {
    let (w, h) = (figure.width, figure.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\">\n\
         <rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n"
    );
    for drawn in figure.images.iter().filter(|i| !i.pixels.is_empty()) {
        image(drawn, &mut out)?;
    }
    for drawn in &figure.strokes {
        stroke(drawn, &mut out);
    }
    for drawn in &figure.dots {
        let (x, y, r) = (drawn.x, drawn.y, drawn.radius);
        let fill = hex(drawn.fill);
        let _ = writeln!(out, "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{r:.2}\" fill=\"{fill}\"/>");
    }
    for drawn in &figure.curves {
        curve(drawn, &mut out);
    }
    for drawn in &figure.overlay {
        stroke(drawn, &mut out);
    }
    for drawn in &figure.texts {
        text(drawn, &mut out);
    }
    out.push_str("</svg>\n");
    Ok(out)
}

fn image(image: &Image, out: &mut String) -> Result<()> {
    let bytes: Vec<u8> = image.pixels.iter().flatten().copied().collect();
    let rows = image.pixels.len() / image.columns;
    let png = encode(&bytes, (image.columns, rows), None)?;
    let (x, y, w, h) = (image.x, image.y, image.width, image.height);
    // Cells stay sharp: browsers follow the style, renderers of the older standard the attribute.
    let _ = writeln!(
        out,
        "<image x=\"{x:.2}\" y=\"{y:.2}\" width=\"{w:.2}\" height=\"{h:.2}\" preserveAspectRatio=\"none\" \
         image-rendering=\"optimizeSpeed\" style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>",
        base64(&png)
    );
    Ok(())
}

fn stroke(stroke: &Stroke, out: &mut String) {
    let ((x, y), (to_x, to_y)) = (stroke.from, stroke.to);
    let _ = match stroke.fill {
        Some(fill) => writeln!(
            out,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{}\"/>",
            to_x - x,
            to_y - y,
            hex(fill)
        ),
        None => writeln!(
            out,
            "<line x1=\"{x:.2}\" y1=\"{y:.2}\" x2=\"{to_x:.2}\" y2=\"{to_y:.2}\" stroke=\"{}\"/>",
            hex(stroke.ink)
        ),
    };
}

fn curve(curve: &Curve, out: &mut String) {
    out.push_str("<polyline points=\"");
    for (x, y) in &curve.points {
        let _ = write!(out, "{x:.1},{y:.1} ");
    }
    let (width, ink) = (curve.width, hex(curve.ink));
    let _ = writeln!(
        out,
        "\" fill=\"none\" stroke=\"{ink}\" stroke-width=\"{width}\" stroke-linejoin=\"round\" \
         stroke-linecap=\"round\"/>"
    );
}

fn text(text: &Text, out: &mut String) {
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let turn = if text.upward {
        format!(" transform=\"rotate(-90 {:.2} {:.2})\"", text.x, text.y)
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "<text x=\"{:.2}\" y=\"{:.2}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"{turn}>{}</text>",
        text.x,
        text.y,
        text.size,
        hex(text.ink),
        escape(&text.content)
    );
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Text fit for XML; control characters are not allowed there in any form.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let word = part.iter().fold(0u32, |word, b| word << 8 | u32::from(*b)) << (8 * (3 - part.len()));
        for digit in 0..4 {
            let six = (word >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit <= part.len() { DIGITS[six] as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_the_standard_says() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn text_cannot_break_the_document() {
        assert_eq!(escape("a<b>&\"c\"\u{0}\n"), "a&lt;b&gt;&amp;&quot;c&quot;  ");
    }
}
