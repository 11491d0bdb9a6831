/* window.c: memory of a ring that is handed out to be written, and how it is taken back.
 *
 * A claim's memory may be held by objects that we don't know of, such as a numpy array. It can't be taken
 * from them, but it can stop being the ring's: its pages are exchanged for private ones. That must not hurt the
 * writer, so claims have a mapping of their own.
 */
#include "platform.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t windows_mutex = PTHREAD_MUTEX_INITIALIZER;
static rl_window *windows; /* under the mutex; only so that a forked child finds them */

static void link_window(rl_window *w) {
    pthread_mutex_lock(&windows_mutex);
    w->previous = NULL;
    w->next = windows;
    if (windows)
        windows->previous = w;
    windows = w;
    w->linked = 1;
    pthread_mutex_unlock(&windows_mutex);
}

static void unlink_window(rl_window *w) {
    if (!w->linked)
        return;
    pthread_mutex_lock(&windows_mutex);
    w->linked = 0;
    if (w->previous)
        w->previous->next = w->next;
    else
        windows = w->next;
    if (w->next)
        w->next->previous = w->previous;
    pthread_mutex_unlock(&windows_mutex);
}

int rl_window_open(rl_window *w, const rl_mapping *m) {
    int fd = rl_mapping_fd(m);
    w->data = NULL;
    if (fd < 0)
        return fd;
    w->data = rl_map_twice(fd, (int64_t)m->header_bytes, m->ring.capacity, PROT_READ | PROT_WRITE, &w->base,
                           &w->bytes);
    if (!w->data) {
        int error = -errno;
        if (w->base != MAP_FAILED)
            munmap(w->base, w->bytes);
        return error;
    }
    w->broken = 0;
    w->watched = rl_fault_watch(w->base, w->bytes, PROT_READ | PROT_WRITE, fd, rl_mapping_needs(m), &w->broken,
                                RL_BROKEN_DATA);
    if (!w->watched) {
        munmap(w->base, w->bytes);
        w->data = NULL;
        return -ENOMEM;
    }
    rl_populate(w->data, m->ring.capacity, m->in_memory); /* else a first lap of claims meets a fault a page */
    link_window(w);
    return 0;
}

void rl_window_close(rl_window *w) {
    if (!w->data)
        return;
    unlink_window(w);
    rl_fault_unwatch(w->watched);
    munmap(w->base, w->bytes);
    w->data = NULL;
}

/* Everything from the window's start to its end, but [from, to), is unmapped; nothing may write there again. */
static void keep_only(rl_window *w, uint8_t *from, uint8_t *to) {
    uint8_t *start = w->base, *end = start + w->bytes;
    if (from > start)
        munmap(start, (size_t)(from - start));
    if (end > to)
        munmap(to, (size_t)(end - to));
    w->base = from;
    w->bytes = (size_t)(to - from);
}

/* What is written there reaches nobody, if need be because nothing can be: zeros, which need no memory until
 * they are written; where even those are refused (a limit on a process's data), no writing. */
static void disown(rl_window *w) {
    if (mmap(w->base, w->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
             0) == MAP_FAILED)
        (void)mprotect(w->base, w->bytes, PROT_READ);
}

void rl_window_cut(rl_window *w, uint8_t *at, size_t size) {
    unlink_window(w); /* what is private now, a child may inherit as it is */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uint8_t *from = (uint8_t *)((uintptr_t)at / page * page);
    uint8_t *to = (uint8_t *)(((uintptr_t)at + size + page - 1) / page * page);
    size_t bytes = to > from ? (size_t)(to - from) : 0;
    void *private = bytes ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                          : MAP_FAILED;
    if (private != MAP_FAILED) {
        memcpy(private, from, bytes); /* still watched: these pages may be the ones that can't be had */
        if (mremap(private, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, from) != MAP_FAILED) {
            rl_fault_unwatch(w->watched);
            w->watched = NULL;
            keep_only(w, from, to);
            return;
        }
        munmap(private, bytes);
    }
    disown(w); /* no memory for a copy */
}

/* ---- fork ---- */

void rl_windows_before_fork(void) { pthread_mutex_lock(&windows_mutex); }
void rl_windows_after_fork_parent(void) { pthread_mutex_unlock(&windows_mutex); }

void rl_windows_after_fork(void) {
    for (rl_window *w = windows; w; w = w->next)
        disown(w);
    pthread_mutex_unlock(&windows_mutex);
}
