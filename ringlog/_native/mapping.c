/* mapping.c: files, mirrored mappings, leases. */
#include "platform.h"
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ringlog/pair.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* Up to this size a mapping's pages are faulted in at open, so that the hot path meets none. Larger
 * ones fault as they are used: opening must not take seconds. */
#define POPULATE_LIMIT ((int64_t)256 << 20)

int rl_header_probe(int fd, rl_header *out, const char **why) {
    struct stat st;
    *why = "";
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return *why = "a directory", RL_NOT_RING;
    if (!S_ISREG(st.st_mode))
        return *why = "not a regular file", RL_NOT_RING;
    memset(out, 0, sizeof *out);
    for (size_t got = 0; got < sizeof *out;) {
        ssize_t n = pread(fd, (char *)out + got, sizeof *out - got, (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    if (st.st_size == 0)
        return *why = "an empty file", RL_NOT_RING;
    /* A cut file still shows what it was, if its first page is there. */
    if (st.st_size >= 128 && st.st_size < (off_t)sizeof *out &&
        memcmp(out->magic, RL_MAGIC, sizeof out->magic) == 0)
        return *why = "shorter than its header", RL_TRUNCATED;
    return rl_header_check(out, st.st_size, why);
}

int rl_in_memory(int fd) {
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return 0;
    const unsigned long tmpfs = 0x01021994, ramfs = 0x858458f6, hugetlbfs = 0x958458f6;
    unsigned long type = (unsigned long)fs.f_type;
    return type == tmpfs || type == ramfs || type == hugetlbfs;
}

uint8_t *rl_map_twice(int fd, int64_t offset, int64_t capacity, int protection, void **base, size_t *bytes) {
    size_t once = (size_t)capacity, align = capacity >= RL_HUGE_CAPACITY ? (size_t)RL_HUGE_ALIGN : 0;
    *bytes = 2 * once + align;
    *base = mmap(NULL, *bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*base == MAP_FAILED)
        return NULL;
    uint8_t *at = *base;
    if (align)
        at = (uint8_t *)(((uintptr_t)at + align - 1) / align * align);
    for (int k = 0; k < 2; k++)
        if (mmap(at + (size_t)k * once, once, protection, MAP_SHARED | MAP_FIXED, fd, offset) == MAP_FAILED)
            return NULL;
    if (align)
        (void)madvise(at, 2 * once, MADV_HUGEPAGE);
    return at;
}

void rl_populate(uint8_t *data, int64_t capacity, int write) {
    if (capacity <= POPULATE_LIMIT) /* advice: an old kernel knows it not, and nothing depends on it */
        (void)madvise(data, 2 * (size_t)capacity, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

static int map_data(rl_mapping *m, int64_t data_start, int64_t capacity, int populate) {
    int protection = m->mode == RL_MAP_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
    m->ring.data = rl_map_twice(m->fd, data_start, capacity, protection, &m->data_base, &m->data_bytes);
    if (!m->ring.data)
        return -errno;
    if (populate)
        rl_populate(m->ring.data, capacity, m->mode == RL_MAP_WRITE && m->in_memory);
    return 0;
}

/* Held while a lease's descriptor exists, while the signal handler is installed, and across fork(): so no child
 * inherits a lease, or half a handler. */
static pthread_mutex_t lease_mutex = PTHREAD_MUTEX_INITIALIZER;

static void install(void) {
    pthread_mutex_lock(&lease_mutex);
    rl_fault_install();
    pthread_mutex_unlock(&lease_mutex);
}

struct rl_watched *rl_segment_watch(rl_mapping *m, int protection) {
    install();
    return rl_fault_watch(m->data_base, m->data_bytes, protection, m->fd, RL_FIRST_POSITION, &m->broken,
                          RL_BROKEN_DATA);
}

static int watch(rl_mapping *m) {
    int64_t needs = rl_mapping_needs(m);
    install();
    m->watched_header = rl_fault_watch(m->ring.header, m->header_bytes,
                                       m->mode == RL_MAP_READ ? PROT_READ : PROT_READ | PROT_WRITE, m->fd, needs,
                                       &m->broken, RL_BROKEN_HEADER);
    m->watched_data =
        rl_fault_watch(m->data_base, m->data_bytes,
                       m->mode == RL_MAP_WRITE ? PROT_READ | PROT_WRITE : PROT_READ, m->fd, needs, &m->broken,
                       RL_BROKEN_DATA);
    return m->watched_header && m->watched_data ? 0 : -ENOMEM;
}

/* Is our descriptor still our file? A program that becomes a daemon closes all it did not open. */
static int own_file(const rl_mapping *m, struct stat *st) {
    return fstat(m->fd, st) == 0 && st->st_dev == m->device && st->st_ino == m->inode;
}

int rl_mapping_fd(const rl_mapping *m) {
    struct stat st;
    return own_file(m, &st) ? m->fd : -EBADF;
}

int rl_mapping_open(rl_mapping *m, int fd, int mode, int populate) {
    rl_header seen;
    const char *why;
    struct stat st;
    memset(m, 0, sizeof *m);
    int status = rl_header_probe(fd, &seen, &why);
    if (status < 0)
        return status;
    if (status != RL_OK)
        return -EINVAL;
    m->mode = mode;
    m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (m->fd < 0 || fstat(m->fd, &st) < 0)
        return -errno;
    m->device = st.st_dev;
    m->inode = st.st_ino;
    m->in_memory = rl_in_memory(fd);
    m->header_bytes = (size_t)seen.data_start;
    int protection = mode == RL_MAP_READ ? PROT_READ : PROT_READ | PROT_WRITE;
    rl_header *header = mmap(NULL, m->header_bytes, protection, MAP_SHARED, m->fd, 0);
    int error = header == MAP_FAILED ? -errno : 0;
    if (!error) {
        error = map_data(m, seen.data_start, seen.capacity, populate);
        /* The checked copy gives the geometry, whatever the file says by now. */
        rl_ring_init(&m->ring, &seen, m->ring.data);
        m->ring.header = header;
        if (!error)
            error = watch(m);
    }
    if (error)
        rl_mapping_close(m);
    return error;
}

void rl_mapping_close(rl_mapping *m) {
    rl_fault_unwatch(m->watched_header);
    rl_fault_unwatch(m->watched_data);
    if (m->segment)
        rl_segment_close(m);
    if (m->ring.header)
        munmap(m->ring.header, m->header_bytes);
    if (m->data_base && m->data_base != MAP_FAILED)
        munmap(m->data_base, m->data_bytes);
    struct stat st;
    if (m->fd > 0 && own_file(m, &st))
        close(m->fd);
    memset(m, 0, sizeof *m);
}

int64_t rl_mapping_needs(const rl_mapping *m) {
    return m->segment ? RL_LOAD_RELAXED(&m->ring.header->write_offset) : (int64_t)m->header_bytes + m->ring.capacity;
}

int64_t rl_mapping_size(const rl_mapping *m) {
    struct stat st;
    return own_file(m, &st) ? (int64_t)st.st_size : -1;
}

int rl_mapping_named(rl_mapping *m) {
    struct stat st;
    if (!own_file(m, &st))
        return 1; /* not to be told: then it is not said to be gone */
    if (st.st_size < rl_mapping_needs(m)) /* within a page nothing faults: what was there is zeros */
        (void)RL_FETCH_OR(&m->broken, RL_BROKEN_DATA);
    return st.st_nlink > 0;
}

/* The pages of [from, to) are on disk. The kernel tells of an error once and then takes the pages for clean: so
 * it is noted in the header, and until all is on disk each page is written to before it is synced. */
static int sync_range(rl_mapping *m, uint8_t *from, const uint8_t *to) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)from / page * page;
    uint32_t *dirty = &m->ring.header->commits_dirty;
    if (to <= from)
        return 0;
    if (RL_UNLIKELY(RL_LOAD_RELAXED(dirty) & RL_SYNC_FAILED))
        for (uintptr_t at = start; at < (uintptr_t)to; at += page) {
            /* What is there, again; by compare-and-swap, since others may be writing to the header. */
            uint32_t *word = (uint32_t *)at, seen = RL_LOAD_RELAXED(word);
            while (!RL_SWAP(word, seen, seen))
                seen = RL_LOAD_RELAXED(word);
        }
    int error = msync((void *)start, (size_t)((uintptr_t)to - start), MS_SYNC) == 0 ? 0 : -errno;
    (void)rl_mapping_named(m); /* has the file been cut? To sync what lies behind its end is no failure, and no sync; */
    if (!error && rl_mapping_broken(m)) /* nor is it to sync the private zeros that stand for missing pages */
        error = -EIO;
    if (!error)
        return 0;
    (void)RL_FETCH_OR(dirty, RL_SYNC_FAILED);
    return error;
}

int rl_mapping_sync(rl_mapping *m, int64_t from, int64_t to) {
    if (to - from > m->ring.capacity)
        from = to - m->ring.capacity;
    uint8_t *start = rl_at(&m->ring, from);
    return sync_range(m, start, start + (to - from));
}

int rl_mapping_sync_header(rl_mapping *m) {
    uint8_t *start = (uint8_t *)m->ring.header;
    return sync_range(m, start, start + m->header_bytes);
}

/* ---- leases ---- */

uint64_t rl_fork_count; /* written in a fresh child, which has one thread */

/* No other code holds two of these three mutexes, so their order can't cross another one. */
static void before_fork(void) {
    pthread_mutex_lock(&lease_mutex);
    rl_windows_before_fork();
    rl_waker_before_fork();
}
static void after_fork_parent(void) {
    rl_waker_after_fork_parent();
    rl_windows_after_fork_parent();
    pthread_mutex_unlock(&lease_mutex);
}
static void after_fork_child(void) {
    rl_fork_count++;
    rl_waker_after_fork_child();
    rl_windows_after_fork();
    pthread_mutex_unlock(&lease_mutex);
}

int rl_install_fork_hooks(void) {
    static int installed; /* once a process, however many interpreters load us; they share a GIL */
    if (installed)
        return 0;
    installed = 1;
    return -pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static int open_again(int fd, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_CLOEXEC);
}

int rl_lease_take(rl_lease *lease, const rl_mapping *m, int64_t offset) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct stat st;
    int error = 0;
    lease->page = NULL;
    if (!own_file(m, &st))
        return -EBADF;
    pthread_mutex_lock(&lease_mutex);
    int own = open_again(m->fd, O_RDWR);
    if (own < 0) {
        error = -errno;
    } else {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
        if (fcntl(own, F_OFD_SETLK, &lock) < 0) {
            error = errno == EACCES ? -EAGAIN : -errno;
        } else {
            /* The mapping keeps the open file alive when the descriptor is gone, and the lock with it. */
            void *at = mmap(NULL, page, PROT_NONE, MAP_SHARED, own, 0);
            if (at == MAP_FAILED) {
                error = -errno;
            } else if (madvise(at, page, MADV_DONTFORK) < 0) {
                error = -errno;
                munmap(at, page);
            } else {
                lease->page = at;
                RL_POINT(lease_taken);
                lease->fork_generation = rl_fork_count;
            }
        }
        close(own);
    }
    pthread_mutex_unlock(&lease_mutex);
    return error;
}

void rl_lease_drop(rl_lease *lease) {
    /* In a forked child the page was never there, and its address may be somebody else's by now. */
    if (lease->page && lease->fork_generation == rl_fork_count)
        munmap(lease->page, (size_t)sysconf(_SC_PAGESIZE));
    lease->page = NULL;
    RL_POINT(lease_dropped);
}

int rl_lease_held(const rl_mapping *m, int64_t offset) {
    struct stat st;
    if (!own_file(m, &st))
        return -EBADF; /* another file's locks would call a living owner dead */
    /* A read lock is asked about: only a write lock, which is what a lease is, stands in its way. */
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
    if (fcntl(m->fd, F_OFD_GETLK, &lock) < 0)
        return -errno;
    return lock.l_type != F_UNLCK;
}
