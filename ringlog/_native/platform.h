/* platform.h: everything that asks the operating system, for the binding above.
 *
 * The protocol headers work on memory that they are given; these functions get that memory, and wait.
 * None of them knows Python. Functions that can fail return 0 or a negated errno.
 */
#ifndef RINGLOG_PLATFORM_H
#define RINGLOG_PLATFORM_H

#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>

#include "ringlog/ring.h"

/* ---- fault.c ---- */

/* Have SIGBUS come to us first, also if others have put a handler over ours since. One thread at a time. */
void rl_fault_install(void);
/* What `broken` can say: a bit for each kind of memory. */
enum { RL_BROKEN_DATA = 1, RL_BROKEN_HEADER = 2 };
/* From here on a fault in [base, base + bytes) sets `bit` in *broken and is answered with private zeros. fd and
 * file_bytes: what is mapped, and how long it has to be. NULL: no memory. */
struct rl_watched *rl_fault_watch(void *base, size_t bytes, int protection, int fd, int64_t file_bytes, int *broken,
                                  int bit);
/* No longer. To be called before the range is unmapped; with NULL it does nothing. */
void rl_fault_unwatch(struct rl_watched *watched);

/* ---- mapping.c ---- */

enum { RL_MAP_READ = 0, RL_MAP_ANNOUNCE = 1, RL_MAP_WRITE = 2 }; /* nothing, the header, all writable */

typedef struct rl_mapping {
    rl_ring ring;
    int fd;         /* our own; carries no lock, so it is a good place to ask about locks from */
    uint64_t device, inode; /* what fd led to: other code may close our number and get it again */
    int mode;       /* RL_MAP_* */
    int in_memory;  /* the file system keeps nothing on a disk */
    int broken;     /* a page could not be had, or the file was seen to be too short: rl_mapping_broken() */
    void *data_base;
    size_t header_bytes, data_bytes;
    struct rl_watched *watched_header, *watched_data;
    struct rl_segment *segment; /* NULL: a ring. Otherwise a log's file: see segment.h */
} rl_mapping;

/* RL_BROKEN_* since when what is read there may be zeros, and what is written reaches nobody. It stays so. */
static inline int rl_mapping_broken(const rl_mapping *m) { return RL_LOAD_RELAXED(&m->broken); }

/* Read and check the header behind fd. *why is a literal. Negative: errno. Else an rl_status. */
int rl_header_probe(int fd, rl_header *out, const char **why);
/* populate: fault the pages in now, so that the hot path meets none. The mapping must stay where it is. */
int rl_mapping_open(rl_mapping *m, int fd, int mode, int populate);
int rl_in_memory(int fd); /* does its file system keep nothing on a disk? */
void rl_mapping_close(rl_mapping *m);
/* Does the file still have a name? If it is shorter than it was, the mapping is broken from now on. */
int rl_mapping_named(rl_mapping *m);
int64_t rl_mapping_size(const rl_mapping *m);   /* of the file by now, in bytes; -1: can't be told */
int64_t rl_mapping_needs(const rl_mapping *m);  /* the size that the file had at least */
/* Data [from, to), or the header, is on disk. An error is noted in `commits_dirty`, where it stays until whoever
 * has synced the whole window and the header takes it back. */
int rl_mapping_sync(rl_mapping *m, int64_t from, int64_t to);
int rl_mapping_sync_header(rl_mapping *m);

int rl_mapping_fd(const rl_mapping *m); /* our descriptor, or -EBADF if it leads elsewhere by now */
/* Map `capacity` bytes of a file from `offset` on twice, back to back, aligned for huge pages where that can
 * help. NULL: errno; *base, if it isn't MAP_FAILED, is still to be unmapped. */
uint8_t *rl_map_twice(int fd, int64_t offset, int64_t capacity, int protection, void **base, size_t *bytes);

/* Fault such a mapping's pages in now, unless it is so large that this would take long. `write`: as if written,
 * which on a disk would make all of them dirty. */
void rl_populate(uint8_t *data, int64_t capacity, int write);

/* A lease: a lock on one byte that lives as long as a mapping which no child inherits. */
typedef struct rl_lease {
    void *page; /* NULL: none */
    uint64_t fork_generation;
} rl_lease;
int rl_lease_take(rl_lease *lease, const rl_mapping *m, int64_t offset); /* -EAGAIN: somebody has it */
void rl_lease_drop(rl_lease *lease);
int rl_lease_held(const rl_mapping *m, int64_t offset); /* 1: by somebody, maybe us; 0: by nobody */

/* Counts the forks that lie between this process and the one that first loaded us. */
extern uint64_t rl_fork_count;
static inline uint64_t rl_fork_generation(void) { return rl_fork_count; }
int rl_install_fork_hooks(void);

/* ---- window.c ---- */

/* A second mapping of a ring's data, for memory that is handed out to be written. A forked child finds private
 * zeros there: what it writes reaches nobody. */
typedef struct rl_window {
    uint8_t *data; /* as rl_ring.data; NULL: not open */
    void *base;
    size_t bytes;
    int broken; /* as of a mapping */
    struct rl_watched *watched;
    struct rl_window *previous, *next; /* all windows of this process */
    int linked;
} rl_window;

int rl_window_open(rl_window *w, const rl_mapping *m);
void rl_window_close(rl_window *w);
/* From here on [at, at + size) is private memory with the bytes that it has now, and the rest of the window is
 * gone: what is written there reaches nobody. The window can only be closed after that. */
void rl_window_cut(rl_window *w, uint8_t *at, size_t size);
void rl_windows_before_fork(void);
void rl_windows_after_fork_parent(void);
void rl_windows_after_fork(void); /* in the child */

/* ---- wait.c ---- */

enum { RL_WAIT_ADAPTIVE = 0, RL_WAIT_SPIN = 1, RL_WAIT_YIELD = 2, RL_WAIT_SLEEP = 3 };

int64_t rl_now(void);       /* Unix nanoseconds */
int64_t rl_monotonic(void); /* nanoseconds on a clock that never steps */
void rl_nap(int64_t ns);
void rl_wake_all(uint32_t *futex);
/* An event behind `position`, or that there will be none: the reader that we tell finds out which. */
int rl_has_news(const rl_ring *ring, int64_t position);

/* What a reader has learned from waiting; zeros at first. */
typedef struct rl_patience {
    int64_t spin; /* ns that looking again and again is worth before sleeping */
    int64_t lull; /* ns not to look at all, since a busy writer was met each time */
    int64_t doubt; /* spins in a row that were thought to be worth it and were not; then sleeps until the next try */
    int64_t naps; /* in a row that brought nothing */
} rl_patience;

/* The part of waiting for something behind `position` that stays awake: look again and again, for at most `limit`
 * ns and never more than 50 us. 1: there is something. */
int rl_wait_awake(const rl_ring *ring, int64_t position, int64_t limit, int wait, rl_patience *patience);
/* The other part, for at most `limit` ns and never more than 100 ms: asleep, or as `wait` says. 1: there is
 * something. */
int rl_wait_head(const rl_ring *ring, int64_t position, int64_t limit, int wait, int announce, int first,
                 rl_patience *patience);
/* Wait until the reader in `slot` needs nothing before `position`, at most `limit` ns. */
void rl_wait_room(const rl_ring *ring, int slot, int64_t position, int64_t limit);
/* Wait for a token for at most `limit` ns. 1: we have it. */
int rl_sem_wait(sem_t *sem, int64_t limit);
/* Give others a turn: until somebody else owns the word, at most a millisecond. */
void rl_step_back(const rl_header *h);

/* ---- waker.c ---- */

/* A descriptor that is readable while there may be news for one reader: fired. Once the reader has looked
 * and found nothing it is armed: quiet, until the process's one waiter thread sees news behind `position`.
 * All zero: none. Its owner calls the functions one at a time. */
typedef struct rl_watch {
    struct rl_source *source; /* NULL: nobody watches, as in a forked child until it begins again */
    struct rl_watch *next;
    rl_mapping *map; /* must outlive the watch */
    int64_t position;
    int fd;    /* an eventfd; write only through these functions, read never */
    int fired; /* the owner may look at it at any time */
    int gone;  /* fired because the file has lost its name */
} rl_watch;

/* Begin, fired. 0, or a negated errno. */
int rl_watch_begin(rl_watch *w, rl_mapping *map);
/* End: whoever waits for the descriptor elsewhere is woken, then it is closed. */
void rl_watch_end(rl_watch *w);
/* The reader goes somewhere else: what was watched tells nothing any more. */
void rl_watch_fire(rl_watch *w);
typedef enum rl_armed { RL_ARMED, RL_NEWS, RL_GONE } rl_armed;
/* Nothing was found behind `position`: be quiet until there is. RL_NEWS: there is something by now, look
 * again. RL_GONE: there will be nothing, the file has lost its name. After both it stays readable. */
rl_armed rl_watch_arm(rl_watch *w, int64_t position);

void rl_waker_before_fork(void);
void rl_waker_after_fork_parent(void);
void rl_waker_after_fork_child(void);

#endif
