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

#include "ringlog/layout.h"

/* ---- mapping.c ---- */

enum { RL_MAP_READ = 0, RL_MAP_ANNOUNCE = 1, RL_MAP_WRITE = 2 }; /* nothing, the header, all writable */

typedef struct rl_mapping {
    rl_ring ring;
    int fd;         /* our own; carries no lock, so it is a good place to ask about locks from */
    uint64_t device, inode; /* what fd led to: other code may close our number and get it again */
    int mode;       /* RL_MAP_* */
    int in_memory;  /* the file system keeps nothing on a disk */
    void *data_base;
    size_t header_bytes, data_bytes;
} rl_mapping;

/* Read and check the header behind fd. *why is a literal. Negative: errno. Else an rl_status. */
int rl_header_probe(int fd, rl_header *out, const char **why);
/* populate: fault the pages in now, so that the hot path meets none. */
int rl_mapping_open(rl_mapping *m, int fd, int mode, int populate);
void rl_mapping_close(rl_mapping *m);
int rl_mapping_named(const rl_mapping *m);                    /* does the file still have a name? */
int rl_mapping_sync(const rl_mapping *m, int64_t from, int64_t to); /* data [from, to) is on disk */
int rl_mapping_sync_header(const rl_mapping *m);

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

/* ---- wait.c ---- */

enum { RL_WAIT_ADAPTIVE = 0, RL_WAIT_SPIN = 1, RL_WAIT_YIELD = 2, RL_WAIT_SLEEP = 3 };

int64_t rl_now(void);       /* Unix nanoseconds */
int64_t rl_monotonic(void); /* nanoseconds on a clock that never steps */
void rl_wake_all(uint32_t *futex);
/* An event behind `position`, or that there will be none: the reader that we tell finds out which. */
int rl_has_news(const rl_ring *ring, int64_t position);

/* Wait for something behind `position`, for at most `limit` ns and never more than 100 ms. 1: there is
 * something. *spin is the caller's memory of what spinning is worth. */
int rl_wait_head(const rl_ring *ring, int64_t position, int64_t limit, int wait, int announce, int first,
                 int64_t *spin);
/* Wait until the reader in `slot` needs nothing before `position`, at most `limit` ns, never over 5 ms. */
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
    const rl_mapping *map; /* must outlive the watch */
    int64_t position;
    int fd;    /* an eventfd; write only through these functions, read never */
    int fired; /* the owner may look at it at any time */
    int gone;  /* fired because the file has lost its name */
} rl_watch;

/* Begin, fired. 0, or a negated errno. */
int rl_watch_begin(rl_watch *w, const rl_mapping *map);
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
