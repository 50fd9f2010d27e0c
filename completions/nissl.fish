# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nissl_global_optspecs
    string join \n from-report= h/help V/version
end

function __fish_nissl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nissl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nissl_using_subcommand
    set -l cmd (__fish_nissl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nissl -n "__fish_nissl_needs_command" -l from-report -d 'Run the command line stored in a report again, from the current folder; flags after `--` replace stored ones' -r -F
complete -c nissl -n "__fish_nissl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nissl -n "__fish_nissl_needs_command" -s V -l version -d 'Print version'
complete -c nissl -n "__fish_nissl_needs_command" -a "autoreject" -d 'Find and repair bad channels and epochs of EEG and MEG recordings'
complete -c nissl -n "__fish_nissl_needs_command" -a "convolve" -d 'Filter rasters: focal convolution, focal statistics, hot spots'
complete -c nissl -n "__fish_nissl_needs_command" -a "decode" -d 'Decode position from spikes: clusterless marks or sorted units'
complete -c nissl -n "__fish_nissl_needs_command" -a "bench" -d 'Time the commands on this machine, check results against references, find regressions'
complete -c nissl -n "__fish_nissl_needs_command" -a "merge" -d 'Put the parts of a sharded run together'
complete -c nissl -n "__fish_nissl_needs_command" -a "sbatch" -d 'Make a SLURM job array of a command, and the merge that depends on it'
complete -c nissl -n "__fish_nissl_needs_command" -a "completions" -d 'Print the completion script of a shell'
complete -c nissl -n "__fish_nissl_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -s o -l output -d 'What to write: a file whose extension names the format; for autoreject a folder' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l method -d 'What to do: local repairs channels and drops epochs by a vote, global drops epochs over one threshold per channel type, ransac repairs channels that the others do not predict' -r -f -a "local\t''
global\t''
ransac\t''"
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l threshold-search -d 'How thresholds are found: bayesian is the peer\'s search, random its other one, exact the least loss of all candidates [default: bayesian]' -r -f -a "bayesian\t''
random\t''
exact\t''"
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l n-interpolate -d 'Numbers of channels that may be repaired in an epoch, tried in this order [default: 1,4,32, the last at most one less than the channels]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l consensus -d 'Shares of bad channels from which on an epoch is dropped: START:STOP:COUNT, evenly spaced, or a list [default: 0:1:11]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l cv -d 'Folds of the cross-validation over epochs, 2 or more [default: 10; 5 for global]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l decim -d 'Keep every N-th sample, the one at time 0 among them; global only [default: 1]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l seed -d 'Seed of all that is drawn at random, 0 to 4294967295 [default: 42; 435656 for ransac]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l thresholds -d 'Thresholds to use instead of a search, in the data\'s unit: JSON that maps channel names to numbers, or a summary.json' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l apply -d 'State fitted before (autoreject.h5 of nissl or of the peer): votes, repairs, drops, no fit' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l reject-log -d 'Reject log (.npz), perhaps edited by hand: repairs and drops as it says' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l picks -d 'Channels to work on: names or types by commas [default: data channels that are not bad]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l bads -d 'Channels to mark as bad besides those of the input: names or types by commas [default: none]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l channels -d 'Names, types and status of the channels: BIDS channels.tsv' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l electrodes -d 'Positions of the channels: BIDS electrodes.tsv, metres unless coordsystem.json beside it says otherwise' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l montage -d 'Positions by standard names, such as standard_1020, standard_1005, biosemi64' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l unit -d 'Unit of the stored numbers: V, mV, uV, nV, T, nT, pT, fT, T/m, pT/cm, fT/cm, M, mM, uM; the cleaned epochs keep it [default: the SI unit]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l sfreq -d 'Sampling rate, hertz [default: from the file]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l compress -d 'Deflate level of the output, 1 (fast) to 9 (small); HDF5 and netCDF only [default: as the input is stored; none for decode]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l shard -d 'Do the I-th of N parts, counted from 1, and write NAME.shard-I-of-N.EXT beside the output; nissl merge puts the parts together' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l backend -d 'Where to compute: auto takes a device only where the plan expects it to win' -r -f -a "auto\t''
cpu\t''
cuda\t''
wgpu\t''"
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l memory -d 'Memory the run may use, bytes or with K, M, G (powers of 1024), such as 8G [default: 80 % of what is available: RAM, cgroup limit, SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l device-memory -d 'Memory of a device the run may use, bytes or with K, M, G [default: what the device tells, 2G where it tells nothing]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l threads -d 'Worker threads [default: the CPUs this process may use: affinity, cgroup quota, SLURM_CPUS_PER_TASK]' -r
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l report -d 'Write the timing report (JSON) there, - for stdout [default: OUTPUT.report.json, or report.json in an output folder]' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l progress -d 'How to show progress on stderr: auto is a bar on a terminal and a plain line every few seconds elsewhere' -r -f -a "auto\t''
bar\t''
plain\t''
json\t''
none\t''"
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l force -d 'Replace an existing output'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l no-augment -d 'Leave epochs predicted from the other channels out of the threshold search; needs no positions'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l fresh-labels -d 'Votes start anew for every entry of --n-interpolate; the peer carries repaired channels from one to the next'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l drop-unrepaired -d 'Also drop epochs with more bad channels than may be repaired'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l resume -d 'Go on from the checkpoints of an earlier run with the same inputs, options and version; begin anew where there are none, and end at once where that run is done. Work is kept from its start, without this flag from the fifth second on'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -l dry-run -d 'Print the resolved plan (shapes, types, algorithm and why, memory) on stdout and stop; nothing is written, no report either'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -s v -l verbose -d 'Tell on stderr what is found and decided; twice for details'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -s q -l quiet -d 'Only warnings and errors on stderr: no progress, no table at the end'
complete -c nissl -n "__fish_nissl_using_subcommand autoreject" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -s o -l output -d 'What to write: a file whose extension names the format; for autoreject a folder' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l kernel -d 'Weights, odd number of rows and columns: FILE.npy, FILE.csv, circle:R, annulus:OUTER,INNER, gauss:SIGMA[,TRUNCATE], box:HxW (cells), sobel-x, sobel-y, prewitt-x, prewitt-y, laplace, emboss (-2 -1 0; -1 1 1; 0 1 2), or rows in quotes such as "0 1 0; 1 -4 1; 0 1 0". Distances take a unit (m, km, ft, miles), metres without one' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l cell-size -d 'Width and height of a cell, map units, such as 30 or 74,93 [default: from the file, else 1]' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l boundary -d 'What lies outside the raster: nan, nearest, reflect (edge cell repeated), wrap, reflect101 (mirrored about the edge cell), or constant:V' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l nan -d 'Where NaN cells spread: propagate is the kernel\'s whole rectangle, footprint its non-zero weights, ignore leaves them out and rescales [default: propagate]' -r -f -a "propagate\t''
footprint\t''
ignore\t''"
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l dtype -d 'Working and output type: auto keeps float64 and makes all else float32 [default: auto]' -r -f -a "auto\t''
f32\t''
f64\t''"
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l algorithm -d 'How to compute [default: the fastest way that keeps the answers]' -r -f -a "auto\t''
direct\t''
separable\t''
runs\t''
fft\t''"
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l stat -d 'Statistics of the cells under a 0/1 kernel, in the order given: mean, max, min, range, std, var, sum, variety, by commas, or all' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l mean-passes -d 'Mean of the 3x3 neighbourhood, that many times in a row; takes no kernel' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l exclude -d 'Centre values that --mean-passes copies instead of averaging: numbers and nan by commas, or none [default: nan]' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l var -d 'Variable or dataset that holds the raster [default: the only one that can be]' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l dims -d 'Names of the axes that are rows and columns, such as lat,lon [default: the last two]' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l plot -d 'Picture of the result (.svg or .png): beside the input, with the animal\'s path, or times by stage and thread' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l compress -d 'Deflate level of the output, 1 (fast) to 9 (small); HDF5 and netCDF only [default: as the input is stored; none for decode]' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l shard -d 'Do the I-th of N parts, counted from 1, and write NAME.shard-I-of-N.EXT beside the output; nissl merge puts the parts together' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l backend -d 'Where to compute: auto takes a device only where the plan expects it to win' -r -f -a "auto\t''
cpu\t''
cuda\t''
wgpu\t''"
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l memory -d 'Memory the run may use, bytes or with K, M, G (powers of 1024), such as 8G [default: 80 % of what is available: RAM, cgroup limit, SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU]' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l device-memory -d 'Memory of a device the run may use, bytes or with K, M, G [default: what the device tells, 2G where it tells nothing]' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l threads -d 'Worker threads [default: the CPUs this process may use: affinity, cgroup quota, SLURM_CPUS_PER_TASK]' -r
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l report -d 'Write the timing report (JSON) there, - for stdout [default: OUTPUT.report.json, or report.json in an output folder]' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l progress -d 'How to show progress on stderr: auto is a bar on a terminal and a plain line every few seconds elsewhere' -r -f -a "auto\t''
bar\t''
plain\t''
json\t''
none\t''"
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l force -d 'Replace an existing output'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l normalize -d 'Divide the weights by their sum'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l flip -d 'Flip the kernel about both axes: true convolution'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l exact -d 'The order of operations of xarray-spatial: equal bits, twice the work'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l fast -d 'Sum in float32 within a kernel row; float32 rasters only, errors under 2e-7 of the magnitudes summed as a rule, 1.1e-6 at most'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l hotspots -d 'Hot and cold spots: Getis-Ord Gi* classes 0, +-90, +-95, +-99 %, and z-scores'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l raw -d 'Take the stored numbers: no scale and offset, no NaN for declared missing values'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l resume -d 'Go on from the checkpoints of an earlier run with the same inputs, options and version; begin anew where there are none, and end at once where that run is done. Work is kept from its start, without this flag from the fifth second on'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -l dry-run -d 'Print the resolved plan (shapes, types, algorithm and why, memory) on stdout and stop; nothing is written, no report either'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -s v -l verbose -d 'Tell on stderr what is found and decided; twice for details'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -s q -l quiet -d 'Only warnings and errors on stderr: no progress, no table at the end'
complete -c nissl -n "__fish_nissl_using_subcommand convolve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -s o -l output -d 'What to write: a file whose extension names the format; for autoreject a folder' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l model -d 'States and movement: decoder (one random walk), contfrag (continuous, fragmented), nonlocal (local, no-spike, non-local continuous and fragmented), nospike-contfrag' -r -f -a "decoder\t''
contfrag\t''
nonlocal\t''
nospike-contfrag\t''"
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l likelihood -d 'What the spikes tell: clusterless is their waveform features, sorted the unit they belong to; with --stream, realtime learns marks on the way and kde takes a frozen model [default: clusterless; with --stream realtime]' -r -f -a "clusterless\t''
sorted\t''
realtime\t''
kde\t''"
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l position-std -d 'Standard deviation of the position kernel, for all axes or one for each [default: 6]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l waveform-std -d 'Standard deviation of the mark kernel, for all features or one for each [default: 24]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l bin-size -d 'Side of a place bin, for all axes or one for each [default: 2]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l position-range -d 'Ends of the place grid, LOW:HIGH for each axis [default: those of the positions]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l interior -d 'Which bins take part: visited (closed over gaps), all, or FILE.npy, truth values of the grid\'s shape' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l track-graph -d 'Track graph (JSON: node_positions, edges, edge_order, edge_spacing); positions are projected on it' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l movement-var -d 'Variance of the random walk per time bin, length squared' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l discrete-transition -d 'Probabilities of going from state to state per time bin: rows by ;, such as "0.98 0.02; 0.02 0.98", or the diagonal alone [default: the model\'s]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l initial -d 'Probabilities of the states at the start, by commas [default: the model\'s]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l no-spike-rate -d 'Rate of the no-spike state, hertz' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l position-penalty -d 'Nats taken from non-local positions where the animal is; nonlocal only [default: 0]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l penalty-std -d 'Distance over which the penalty falls off [default: 1]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l log-floor -d 'Where a spike\'s intensity stops falling: peer is 1e-15 in units of the mark space, relative:N is N nats under the electrode\'s greatest (34.5 does what the peer means)' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l algorithm -d 'How to compute [default: the fastest way that keeps the answers]' -r -f -a "exact\t''
direct\t''
approx\t''"
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l tol -d 'With --algorithm approx: largest error of a spike\'s log intensity, nats, guaranteed' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l tol-observed -d 'With --algorithm approx: the same on 1000 samples only, not guaranteed' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l precision -d 'Element type of the likelihood; f64 takes the direct product unless --algorithm approx is given' -r -f -a "f32\t''
f64\t''"
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l seed -d 'Seed of all that is drawn at random, 0 to 4294967295 [default: 42; 435656 for ransac]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l time -d 'Decoding times START:STOP:STEP, seconds, STOP excluded [default: the file\'s, else the range of the positions in their median steps]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l encode-interval -d 'Encoding intervals START:STOP, seconds, both ends included [default: the file\'s mask, else all]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l encoding-model -d 'Encoding model written by --fit-only, instead of a fit' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l position-series -d 'Position series of an NWB file, by name or path; several, by commas, follow each other in time [default: the only one]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l features -d 'Columns of an NWB units table that are the marks, by commas, in order [default: the only one that can be]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l save -d 'What to write besides the acausal posterior: filter, predictive, loglik, map, mean, hpd, viterbi, by commas' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l plot -d 'Picture of the result (.svg or .png): beside the input, with the animal\'s path, or times by stage and thread' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l compress -d 'Deflate level of the output, 1 (fast) to 9 (small); HDF5 and netCDF only [default: as the input is stored; none for decode]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l realtime-config -d 'Set-up of the realtime likelihood: JSON with the keys of realtime_decoder [default: one state, 41 bins, marks of 4 channels, 50000 of each electrode]' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l tick -d 'Seconds of stream time from tick to tick, from the first event on; records is only where tick records say so [default: the time bin, 0.006, until the first tick record; kde: the decoding times]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l warm-up -d 'Go through the first seconds of the stream at full speed, without timing their ticks: marks are learned, records written [default: 100 ticks are not timed, --paced holds all back]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l dedup -d 'Which spikes count as one: electrode is equal time and electrode (the first stays), peer is equal time (of two the first stays, of more none) [default: electrode]' -r -f -a "electrode\t''
peer\t''"
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l lfp -d 'Look for ripples in this field potential: a dataset of the recording (DATASET,CHANNEL where it has several), or a channel of the event records' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l stream-idle -d 'End a file of event records that did not grow for so long [default: wait for its end record]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l realtime-priority -d 'Real-time priority of the ticking thread (SCHED_FIFO), 1 to 99; a warning where not allowed' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l pin-core -d 'Core that the ticking thread runs on, counted from 0; a warning where not allowed' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l shard -d 'Do the I-th of N parts, counted from 1, and write NAME.shard-I-of-N.EXT beside the output; nissl merge puts the parts together' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l backend -d 'Where to compute: auto takes a device only where the plan expects it to win' -r -f -a "auto\t''
cpu\t''
cuda\t''
wgpu\t''"
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l memory -d 'Memory the run may use, bytes or with K, M, G (powers of 1024), such as 8G [default: 80 % of what is available: RAM, cgroup limit, SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l device-memory -d 'Memory of a device the run may use, bytes or with K, M, G [default: what the device tells, 2G where it tells nothing]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l threads -d 'Worker threads [default: the CPUs this process may use: affinity, cgroup quota, SLURM_CPUS_PER_TASK]' -r
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l report -d 'Write the timing report (JSON) there, - for stdout [default: OUTPUT.report.json, or report.json in an output folder]' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l progress -d 'How to show progress on stderr: auto is a bar on a terminal and a plain line every few seconds elsewhere' -r -f -a "auto\t''
bar\t''
plain\t''
json\t''
none\t''"
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l force -d 'Replace an existing output'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l rate-units -d 'Unit of the rates: samples takes decoding bins as long as position samples, as the peer does; seconds does not'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l fix-timestamps -d 'Keep the first of position samples whose time stamps repeat or step back'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l drop-repeated-spikes -d 'Count spikes of one electrode or unit at exactly the same time once; the peer counts each'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l position-weights -d 'Weigh position samples by position/weights (one of 0 or more for each sample), and spikes by the weight at their time; --likelihood sorted only'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l fit-only -d 'Fit the encoding model, write it to -o and stop'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l stream -d 'Decode tick by tick, from events as they come'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l paced -d 'Hold events back until their time has come by the clock'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l lock-memory -d 'Keep all memory resident; a warning where not allowed'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l resume -d 'Go on from the checkpoints of an earlier run with the same inputs, options and version; begin anew where there are none, and end at once where that run is done. Work is kept from its start, without this flag from the fifth second on'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -l dry-run -d 'Print the resolved plan (shapes, types, algorithm and why, memory) on stdout and stop; nothing is written, no report either'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -s v -l verbose -d 'Tell on stderr what is found and decided; twice for details'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -s q -l quiet -d 'Only warnings and errors on stderr: no progress, no table at the end'
complete -c nissl -n "__fish_nissl_using_subcommand decode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l size -d 'How large the works are: quick takes less than a minute in all, standard some minutes, full are the shapes that labs wait for; --dry-run lists them' -r -f -a "quick\t''
standard\t''
full\t''"
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l only -d 'Only these works, by the names that --dry-run lists, or with --verify these cases, by name or folder; * stands for any part of a name' -r
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l threads -d 'Numbers of threads by commas; all is what the process may use [default: 1,all]' -r
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l repeat -d 'Measured runs of each work, after one of warm-up [default: quick and standard 3 to 5, full 1 to 3]' -r
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l work -d 'Folder in which inputs and outputs are made and deleted again; the disk under it is measured too [default: the system\'s temporary folder]' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l keep -d 'Leave the inputs in this new folder, each with its command line (DIR/COMMAND/SHAPE/command.json)' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l json -l report -d 'Write the result (JSON) there, - for stdout [default: none]' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l plot -d 'Picture of the result (.svg or .png): beside the input, with the animal\'s path, or times by stage and thread' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l baseline -d 'Compare with the result of an earlier bench of this machine; exit code 3 where a work or a stage got slower' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l max-slowdown -d 'The most by which anything may take longer than in the baseline, as a ratio; what lies within the measured spread is never a failure' -r
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l against -d 'Print the times of another package beside these; may be given several times' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l from -d 'Take an earlier result instead of running anything' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l verify -d 'Check results against all references (case.json) below a folder instead of timing [default: ./fixtures]' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l record -d 'Run the command line after -- and keep its inputs and outputs as a new reference in this folder' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l rtol -d 'Relative tolerance of a recorded reference' -r
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l atol -d 'Absolute tolerance of a recorded reference' -r
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l backend -d 'Where to compute: auto takes a device only where the plan expects it to win' -r -f -a "auto\t''
cpu\t''
cuda\t''
wgpu\t''"
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l memory -d 'Memory the run may use, bytes or with K, M, G (powers of 1024), such as 8G [default: 80 % of what is available: RAM, cgroup limit, SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU]' -r
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l device-memory -d 'Memory of a device the run may use, bytes or with K, M, G [default: what the device tells, 2G where it tells nothing]' -r
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l progress -d 'How to show progress on stderr: auto is a bar on a terminal and a plain line every few seconds elsewhere' -r -f -a "auto\t''
bar\t''
plain\t''
json\t''
none\t''"
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l markdown -d 'Tables as Markdown'
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l force -d 'Replace an existing output'
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l other-machine -d 'Compare with a baseline of another machine all the same'
complete -c nissl -n "__fish_nissl_using_subcommand bench" -l dry-run -d 'Print the resolved plan (shapes, types, algorithm and why, memory) on stdout and stop; nothing is written, no report either'
complete -c nissl -n "__fish_nissl_using_subcommand bench" -s v -l verbose -d 'Tell on stderr what is found and decided; twice for details'
complete -c nissl -n "__fish_nissl_using_subcommand bench" -s q -l quiet -d 'Only warnings and errors on stderr: no progress, no table at the end'
complete -c nissl -n "__fish_nissl_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nissl -n "__fish_nissl_using_subcommand merge" -s o -l output -d 'What to write: a file whose extension names the format; for autoreject a folder' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l backend -d 'Where to compute: auto takes a device only where the plan expects it to win' -r -f -a "auto\t''
cpu\t''
cuda\t''
wgpu\t''"
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l memory -d 'Memory the run may use, bytes or with K, M, G (powers of 1024), such as 8G [default: 80 % of what is available: RAM, cgroup limit, SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU]' -r
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l device-memory -d 'Memory of a device the run may use, bytes or with K, M, G [default: what the device tells, 2G where it tells nothing]' -r
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l threads -d 'Worker threads [default: the CPUs this process may use: affinity, cgroup quota, SLURM_CPUS_PER_TASK]' -r
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l report -d 'Write the timing report (JSON) there, - for stdout [default: OUTPUT.report.json, or report.json in an output folder]' -r -F
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l progress -d 'How to show progress on stderr: auto is a bar on a terminal and a plain line every few seconds elsewhere' -r -f -a "auto\t''
bar\t''
plain\t''
json\t''
none\t''"
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l force -d 'Replace an existing output'
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l resume -d 'Go on from the checkpoints of an earlier run with the same inputs, options and version; begin anew where there are none, and end at once where that run is done. Work is kept from its start, without this flag from the fifth second on'
complete -c nissl -n "__fish_nissl_using_subcommand merge" -l dry-run -d 'Print the resolved plan (shapes, types, algorithm and why, memory) on stdout and stop; nothing is written, no report either'
complete -c nissl -n "__fish_nissl_using_subcommand merge" -s v -l verbose -d 'Tell on stderr what is found and decided; twice for details'
complete -c nissl -n "__fish_nissl_using_subcommand merge" -s q -l quiet -d 'Only warnings and errors on stderr: no progress, no table at the end'
complete -c nissl -n "__fish_nissl_using_subcommand merge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nissl -n "__fish_nissl_using_subcommand sbatch" -l shards -d 'Number of parts, 2 or more' -r
complete -c nissl -n "__fish_nissl_using_subcommand sbatch" -l slurm -d 'Flags for both jobs as sbatch takes them, such as \'--time=04:00:00 --partition=long\'; they win over those of the script, and may be given several times' -r
complete -c nissl -n "__fish_nissl_using_subcommand sbatch" -l submit -d 'Submit the script instead of printing it'
complete -c nissl -n "__fish_nissl_using_subcommand sbatch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nissl -n "__fish_nissl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c nissl -n "__fish_nissl_using_subcommand help; and not __fish_seen_subcommand_from autoreject convolve decode bench merge sbatch completions help" -f -a "autoreject" -d 'Find and repair bad channels and epochs of EEG and MEG recordings'
complete -c nissl -n "__fish_nissl_using_subcommand help; and not __fish_seen_subcommand_from autoreject convolve decode bench merge sbatch completions help" -f -a "convolve" -d 'Filter rasters: focal convolution, focal statistics, hot spots'
complete -c nissl -n "__fish_nissl_using_subcommand help; and not __fish_seen_subcommand_from autoreject convolve decode bench merge sbatch completions help" -f -a "decode" -d 'Decode position from spikes: clusterless marks or sorted units'
complete -c nissl -n "__fish_nissl_using_subcommand help; and not __fish_seen_subcommand_from autoreject convolve decode bench merge sbatch completions help" -f -a "bench" -d 'Time the commands on this machine, check results against references, find regressions'
complete -c nissl -n "__fish_nissl_using_subcommand help; and not __fish_seen_subcommand_from autoreject convolve decode bench merge sbatch completions help" -f -a "merge" -d 'Put the parts of a sharded run together'
complete -c nissl -n "__fish_nissl_using_subcommand help; and not __fish_seen_subcommand_from autoreject convolve decode bench merge sbatch completions help" -f -a "sbatch" -d 'Make a SLURM job array of a command, and the merge that depends on it'
complete -c nissl -n "__fish_nissl_using_subcommand help; and not __fish_seen_subcommand_from autoreject convolve decode bench merge sbatch completions help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c nissl -n "__fish_nissl_using_subcommand help; and not __fish_seen_subcommand_from autoreject convolve decode bench merge sbatch completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
