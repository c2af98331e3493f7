"""How long the vault is open, beside restic alone and beside the physical limit.

    figures    goals, medians, ratios, the table and the last line
    exports    what is backed up: a generated hospital night by night, and a hundred small sources
    medium     the target: ext4 on a loop device, its counters, its brake
    timed      a command to its end, with its seconds and its peak of memory
    watch      the observer: sees from outside when the medium is mounted, and which step runs
    ours       Coffre, as a person runs it
    straight   restic straight onto the mounted target
    limit      the same bytes written and read back past the cache, and nothing else
    nights     the rounds: the three, side by side, the order turning
    packs      a target that holds many packs already
    store      the store alone; a program of its own: ``python -m benchmarks.store``

Rule 1: what is compared is measured in one run, on one machine, one after the other, the order
    turning; ratios are taken pair by pair, then the median.
Rule 2: no number is a test: a miss is printed as a miss and the exit code stays 0.
Rule 3: what could not be measured is said, and counts as missed.
"""
