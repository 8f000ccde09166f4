"""Every bound of the house, with its unit and its reason, and the relations between them.

A bound has a test that fills it (tests/tidy/test_bounds.py looks). Bounds of the gRPC edge are in rpc's ServerLimits
(that room knows nothing of payments); what an operator may change is in the configuration, within what is asserted
here.
"""

from typing import Final

# ---- instructions
IDEMPOTENCY_KEY_CHARS_MAX: Final = 128  # fits a UUID, a ULID and most order numbers with a prefix
END_TO_END_ID_CHARS_MAX: Final = 35  # ISO 20022 Max35Text
LABELS_MAX: Final = 16  # free labels are for finding payments, not for documents
LABEL_KEY_CHARS_MAX: Final = 63  # as long as the label keys of orchestrators
LABEL_VALUE_CHARS_MAX: Final = 255  # one line of a page
INSTRUCTION_BYTES_MAX: Final = 16 * 1024  # the largest legal instruction is below 8 KiB
EXECUTION_DATE_DAYS_AHEAD_MAX: Final = 365  # banks keep warehoused payments for at most a year

# ---- store
COMMIT_PAYMENTS_MAX: Final = 1024  # writes of one commit: 259,000/s already at 1,000 (design.md section 4)
WRITER_QUEUE_MAX: Final = 16_384  # writes waiting for the writer; above: Overloaded, about 0.1 s of work
ADMISSION_WAIT_S_MAX: Final = 1.0  # for the commits ahead of an admission; a disk so slow takes no more of them
ADMISSION_WRITES_S_MAX: Final = 1.0  # what the writes that wait add to the flushes; clients wait as long
FIXED_PARTS_MAX: Final = 8.0  # or so many times a flush, where that is more: a slow disk gives 80 % of its best
ADMISSIONS_WAITING_MIN: Final = 128  # may wait however slow commits seem: 0.25 s of a disk of 500/s
COMMIT_SHEDDING_MIN: Final = 32  # writes of one commit while others are refused, where the disk gains nothing by more
COMMIT_TOLD_SHEDDING_MAX: Final = 6  # the same while others are refused: a refusal waits for two or three such parts
COMMIT_TOLD_MAX: Final = 32  # callers of one commit woken at once: about 5 ms of answers before a socket is looked at
RECORD_BYTES_MAX: Final = 64 * 1024  # a payment with all its attempts and holds is below 8 KiB
EVIDENCE_BYTES_MAX: Final = 64 * 1024  # a bank's answer kept with a fact; longer ones are cut, and say so
RECENT_PAYMENTS_MAX: Final = 8_192  # kept decoded, some 3 KiB each: what is between admission and the bank's answer
READ_TXN_S_MAX: Final = 1.0  # a reader that lives longer pins pages and the file grows
PAGE_SCAN_MAX: Final = 2_000  # records one page() may look at before it returns what it has

# ---- lists and watching
PAGE_SIZE_DEFAULT: Final = 100  # two turns of work, some 50 KiB
PAGE_SIZE_MAX: Final = 1_000  # about half a megabyte
WATCH_PAGE_MAX: Final = 100  # facts read from the store at once for one watcher: some 60 KiB it may sit on for hours
WATCHERS_MAX: Final = 1_000  # each costs a task and a page of facts
KEY_LOOKUP_MAX: Final = 10  # payments of one EndToEndId we look at before we call it ambiguous

# ---- lanes and banks
BANKS_MAX: Final = 200  # each has a lane, a pool and a handful of tasks
BULK_LINES_MAX: Final = 10_000  # of one message; banks take fewer
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024  # a bank's whole answer; a report of 10,000 lines is below 3 MiB
ANSWER_HEADER_BYTES_MAX: Final = 64 * 1024  # servers send some 2 KiB
LANE_PAGE_MAX: Final = 512  # payments a lane takes from the outbox at once
RETRY_AFTER_S_MAX: Final = 86_400.0  # a payment must not sleep for years because a bank says so
COLLECT_PAGES_MAX: Final = 50  # mailbox pages one visit may fetch before it lets others have the bank

UNKNOWN_REFERENCES_MAX: Final = 1_000  # listed of one quarantine: people look at each; more are counted

UNREADABLE_WORDS_MAX: Final = 500  # banks' words about unreadable payments in the log; of more the evidence is kept

# ---- start and stop
DRAIN_S_MAX: Final = 20.0  # below the 30 s that orchestrators grant by default
STORE_FAILED_EXIT_S_MAX: Final = 1.0  # nothing may look alive over pages that the device has lost

assert UNKNOWN_REFERENCES_MAX + UNREADABLE_WORDS_MAX < PAGE_SCAN_MAX - 2  # a quarantine is read in one look
assert COMMIT_PAYMENTS_MAX <= WRITER_QUEUE_MAX // 4
assert ADMISSIONS_WAITING_MIN <= COMMIT_PAYMENTS_MAX
assert PAGE_SIZE_DEFAULT <= PAGE_SIZE_MAX <= PAGE_SCAN_MAX
assert EVIDENCE_BYTES_MAX <= RECORD_BYTES_MAX
assert INSTRUCTION_BYTES_MAX < RECORD_BYTES_MAX
assert ANSWER_HEADER_BYTES_MAX < ANSWER_BYTES_MAX
