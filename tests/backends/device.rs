//! The contract of queues: order, independence, limits.

use nissl::error::Error;

#[test]
fn copies_keep_their_order_and_queues_their_own_memory() {
    for devices in crate::devices(None) {
        let mut queues = devices.queues(2).unwrap();
        let mut buffers = Vec::new();
        for (number, queue) in queues.iter_mut().enumerate() {
            let (a, b) = (queue.allocate(64).unwrap(), queue.allocate(64).unwrap());
            queue.upload(&a, 0, &[number as u8 + 1; 64]).unwrap();
            queue.copy((&a, 0), (&b, 16), 32).unwrap();
            queue.upload(&a, 0, &[9; 64]).unwrap();
            queue.zero(&b, 0, 16).unwrap();
            queue.zero(&b, 48, 16).unwrap();
            buffers.push((a, b));
        }
        for (number, (queue, (a, b))) in queues.iter_mut().zip(&buffers).enumerate() {
            let (mut first, mut second) = ([0; 64], [1; 64]);
            queue.download(a, 0, &mut first).unwrap();
            queue.download(b, 0, &mut second).unwrap();
            assert_eq!(first, [9; 64]);
            let mut expected = [0; 64];
            expected[16..48].fill(number as u8 + 1);
            assert_eq!(second, expected);
        }
        // Another queue's buffer is refused, not read.
        assert!(queues[0].download(&buffers[1].0, 0, &mut [0; 64]).is_err());
    }
}

#[test]
fn memory_is_limited_over_all_queues_and_given_back() {
    for devices in crate::devices(Some(1 << 20)) {
        let mut queues = devices.queues(2).unwrap();
        queues[0].allocate(700 << 10).unwrap();
        match queues[1].allocate(700 << 10) {
            Err(Error::DeviceMemory { needed, free }) => assert!(needed == 700 << 10 && free == 324 << 10),
            other => panic!("{other:?}"),
        }
        queues[0].clear().unwrap();
        let again = queues[1].allocate(700 << 10).unwrap();
        queues[1].upload(&again, 0, &[7; 4096]).unwrap();
        let mut back = [0; 4096];
        queues[1].download(&again, 0, &mut back).unwrap();
        assert_eq!(back, [7; 4096]);
    }
}
