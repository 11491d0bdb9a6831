/* store_recorder.c: writes down every store to a ring file, and every sync of it, in their order.
 *
 * Concept:   loaded by LD_PRELOAD. Shared writable mappings of a ring are made read-only behind the program's
 *            back. A store faults; the page is opened, the one instruction is stepped over, the page is closed
 *            again, and what has changed is noted. msync, fsync, pwrite and linkat are noted as they pass.
 * Guarantee: on x86-64 the log holds the file's content after every single store instruction. Elsewhere, where
 *            no instruction can be stepped over from within, it holds what changed between two noted calls.
 *            The log is a shared mapping: it survives kill -9 of the process, at that very store.
 * Caveat:    one ring at a time. A system call that writes into the ring's memory (read into a claim) fails
 *            with EFAULT, as the kernel does not fault as a store does.
 * Usage:     recorder_begin(log); ...use ringlog, in this process or forked ones...; recorder_end();
 *            recorder.py reads the log.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096u
#define LARGEST_FILE (1u << 20)
#define LARGEST_LOG (1ull << 31) /* sparse */
#define REGIONS 256
#define STEPS_OPEN 4

typedef struct Log { /* shared with forked processes, and with whoever reads the file */
    uint64_t used;   /* bytes of records */
    uint64_t stores;
    uint64_t kill_at;   /* the store behind which the process is killed; 0: none */
    uint64_t fail_sync; /* how many syncs from here on, this one included, until one fails; 0: none */
    uint64_t inode, file_size;
    uint64_t unseen; /* bytes that changed without a store that was seen */
    uint8_t padding[PAGE - 56];
    uint8_t shadow[LARGEST_FILE]; /* the ring file as the log has it so far */
    uint8_t records[];
} Log;

typedef struct Record {
    uint32_t kind, size; /* of the bytes that follow, padded to 8 */
    uint64_t offset, extra;
} Record;

typedef struct Region {
    uintptr_t start, end;
    uint64_t offset; /* in the file */
} Region;

static Log *journal;
static Region regions[REGIONS];
static int busy; /* held from a store's fault until it has been stepped over */
static __thread uintptr_t open_pages[STEPS_OPEN] __attribute__((tls_model("initial-exec")));
static __thread int opened __attribute__((tls_model("initial-exec")));

static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static int (*real_munmap)(void *, size_t);
static int (*real_msync)(void *, size_t, int);
static int (*real_fsync)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_linkat)(int, const char *, int, const char *, int);
static void *(*real_mremap)(void *, size_t, size_t, int, ...);

__attribute__((constructor)) static void find_real_calls(void) {
    real_mmap = dlsym(RTLD_NEXT, "mmap");
    real_munmap = dlsym(RTLD_NEXT, "munmap");
    real_msync = dlsym(RTLD_NEXT, "msync");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_linkat = dlsym(RTLD_NEXT, "linkat");
    real_mremap = dlsym(RTLD_NEXT, "mremap");
}

static void lock(void) {
    while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static void unlock(void) { __atomic_store_n(&busy, 0, __ATOMIC_RELEASE); }

/* ---- the log ---- */

static void note(char kind, uint64_t offset, uint64_t extra, const void *bytes, uint32_t size) {
    Record record = {(uint32_t)kind, size, offset, extra};
    uint8_t *to = journal->records + journal->used;
    if (journal->used + sizeof record + size + 8 > LARGEST_LOG)
        return; /* the reader of the log sees that its end is missing */
    memcpy(to, &record, sizeof record);
    if (size)
        memcpy(to + sizeof record, bytes, size);
    __atomic_store_n(&journal->used, journal->used + sizeof record + ((size + 7u) & ~7u), __ATOMIC_RELEASE);
}

/* What has changed in a page of the file, which is mapped at `at`. 0: nothing. */
static uint32_t note_page(uint64_t offset, const uint8_t *at, int seen) {
    uint8_t *shadow = journal->shadow + offset;
    uint32_t first = 0, last = PAGE;
    while (first < PAGE && shadow[first] == at[first])
        first++;
    while (last > first && shadow[last - 1] == at[last - 1])
        last--;
    if (seen || last > first)
        note('S', offset + first % PAGE, 0, at + first % PAGE, last - first);
    memcpy(shadow + first % PAGE, at + first % PAGE, last - first);
    return last - first;
}

/* Note what was changed by something else than a store that we saw: normally nothing. */
static void note_unseen(void) {
    for (int k = 0; k < REGIONS; k++)
        for (uintptr_t at = regions[k].start; at < regions[k].end; at += PAGE) {
            uint64_t offset = regions[k].offset + (at - regions[k].start);
            if (memcmp(journal->shadow + offset, (void *)at, PAGE) != 0)
                journal->unseen += note_page(offset, (void *)at, 0);
        }
}

/* ---- stores ---- */

#if defined(__x86_64__)
#define STORED_PROTECTION PROT_READ
#define TRAP_FLAG 0x100

static Region *region_of(uintptr_t address) {
    for (int k = 0; k < REGIONS; k++)
        if (address >= regions[k].start && address < regions[k].end)
            return &regions[k];
    return NULL;
}

static void on_fault(int number, siginfo_t *info, void *context) {
    uintptr_t page = (uintptr_t)info->si_addr / PAGE * PAGE;
    (void)number;
    if (!journal || !region_of((uintptr_t)info->si_addr) || opened == STEPS_OPEN) {
        signal(SIGSEGV, SIG_DFL); /* a fault as any other: it comes again, and ends the process */
        return;
    }
    if (!opened)
        lock();
    open_pages[opened++] = page;
    mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    while (opened) {
        uintptr_t page = open_pages[--opened];
        Region *region = region_of(page);
        note_page(region->offset + (page - region->start), (void *)page, 1);
        mprotect((void *)page, PAGE, PROT_READ);
    }
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    if (++journal->stores == journal->kill_at)
        kill(getpid(), SIGKILL);
    unlock();
}

static void watch_stores(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    action.sa_sigaction = on_step;
    sigfillset(&action.sa_mask);
    sigaction(SIGTRAP, &action, NULL);
}
#else
#define STORED_PROTECTION (PROT_READ | PROT_WRITE)
static void watch_stores(void) {}
#endif

/* ---- which memory is the ring's ---- */

static void forget(uintptr_t start, uintptr_t end) {
    for (int k = 0; k < REGIONS; k++) {
        Region *r = &regions[k], old = *r;
        if (old.start >= end || old.end <= start)
            continue;
        r->end = old.start < start ? start : old.start;
        if (old.end > end)
            for (int free = 0; free < REGIONS; free++)
                if (regions[free].start == regions[free].end) {
                    regions[free] = (Region){end, old.end, old.offset + (end - old.start)};
                    break;
                }
    }
}

/* Is this the ring that is recorded? The first one that comes is. */
static int is_ring(int fd) {
    struct stat st;
    char magic[8];
    if (!journal || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > LARGEST_FILE)
        return 0;
    if (journal->inode)
        return journal->inode == st.st_ino;
    if (pread(fd, magic, 8, 64) != 8 || memcmp(magic, "ringlog\n", 8) != 0)
        return 0;
    journal->inode = st.st_ino;
    journal->file_size = (uint64_t)st.st_size;
    return 2;
}

void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset) {
    int shared = (flags & MAP_TYPE) == MAP_SHARED && fd >= 0 && protection & PROT_WRITE;
    int saved = errno, ring = shared ? is_ring(fd) : 0;
    errno = saved;
    if (!real_mmap) /* before our constructor has run */
        real_mmap = dlsym(RTLD_NEXT, "mmap");
    if (ring == 2) {
        if (pread(fd, journal->shadow, journal->file_size, 0) < 0)
            journal->unseen++;
        note('B', 0, journal->file_size, journal->shadow, (uint32_t)journal->file_size);
    }
    void *at = real_mmap(where, size, ring ? STORED_PROTECTION : protection, flags, fd, offset);
    if (at == MAP_FAILED || !journal || !(ring || flags & MAP_FIXED))
        return at;
    lock();
    forget((uintptr_t)at, (uintptr_t)at + size);
    for (int k = 0; ring && k < REGIONS; k++)
        if (regions[k].start == regions[k].end) {
            regions[k] = (Region){(uintptr_t)at, (uintptr_t)at + size, (uint64_t)offset};
            break;
        }
    unlock();
    return at;
}

void *mmap64(void *where, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap(where, size, protection, flags, fd, offset);
}

static void forget_if_recorded(void *at, size_t size) {
    if (!journal)
        return;
    lock();
    forget((uintptr_t)at, (uintptr_t)at + size);
    unlock();
}

int munmap(void *at, size_t size) {
    forget_if_recorded(at, size);
    return real_munmap(at, size);
}

void *mremap(void *from, size_t old_size, size_t size, int flags, ...) {
    va_list more;
    va_start(more, flags);
    void *to = flags & MREMAP_FIXED ? va_arg(more, void *) : NULL;
    va_end(more);
    if (to)
        forget_if_recorded(to, size);
    return real_mremap(from, old_size, size, flags, to);
}

/* ---- syncs, and the file's name ---- */

static int must_fail(void) {
    return journal->fail_sync && --journal->fail_sync == 0;
}

int msync(void *start, size_t size, int flags) {
    uintptr_t at = (uintptr_t)start, end = at + (size + PAGE - 1) / PAGE * PAGE;
    int found = 0, fails = 0;
    if (journal) {
        lock();
        note_unseen();
        for (; at < end; at += PAGE)
            for (int k = 0; k < REGIONS; k++)
                if (at >= regions[k].start && at < regions[k].end) {
                    note('P', regions[k].offset + (at - regions[k].start), PAGE, NULL, 0);
                    found = 1;
                }
        fails = found && must_fail();
        unlock();
    }
    /* A ring's syncs go no further: what the disk would do is told from the log, and real ones only take time. */
    int result = fails ? (errno = EIO, -1) : found ? 0 : real_msync(start, size, flags);
    if (found) {
        int saved = errno;
        lock();
        note('E', 0, result < 0, NULL, 0);
        unlock();
        errno = saved;
    }
    return result;
}

int fsync(int fd) {
    struct stat st;
    int recorded = journal && fstat(fd, &st) == 0, fails = 0;
    int ring = recorded && S_ISREG(st.st_mode) && is_ring(fd);
    if (ring) {
        lock();
        note_unseen();
        for (uint64_t at = 0; at < journal->file_size; at += PAGE)
            note('P', at, PAGE, NULL, 0);
        fails = must_fail();
        unlock();
    }
    int result = fails ? (errno = EIO, -1) : ring ? 0 : real_fsync(fd);
    if (ring || (recorded && S_ISDIR(st.st_mode) && result == 0)) {
        int saved = errno;
        lock();
        note(ring ? 'E' : 'D', 0, result < 0, NULL, 0);
        unlock();
        errno = saved;
    }
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
    ssize_t done = real_pwrite(fd, bytes, size, offset);
    if (done > 0 && is_ring(fd)) {
        lock();
        memcpy(journal->shadow + offset, bytes, (size_t)done);
        note('S', (uint64_t)offset, 0, bytes, (uint32_t)done);
        unlock();
    }
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset) { return pwrite(fd, bytes, size, offset); }

int linkat(int from, const char *old, int to, const char *name, int flags) {
    int result = real_linkat(from, old, to, name, flags);
    if (result == 0 && journal && journal->inode) {
        lock();
        note('L', 0, journal->file_size, NULL, 0);
        unlock();
    }
    return result;
}

/* ---- for the recorded program ---- */

__attribute__((visibility("default"))) int recorder_begin(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)(sizeof(Log) + LARGEST_LOG)) < 0)
        return -1;
    void *at = real_mmap(NULL, sizeof(Log) + LARGEST_LOG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    if (at == MAP_FAILED)
        return -1;
    memset(regions, 0, sizeof regions);
    watch_stores();
    journal = at;
    return 0;
}

__attribute__((visibility("default"))) void recorder_end(void) {
    Log *ended = journal;
    journal = NULL;
    real_munmap(ended, sizeof(Log) + LARGEST_LOG);
}

/* The program says where it is. */
__attribute__((visibility("default"))) void recorder_mark(const char *bytes, uint32_t size) {
    lock();
    note_unseen();
    note('M', 0, 0, bytes, size);
    unlock();
}

/* Kill this process behind the store that is `more` stores away. */
__attribute__((visibility("default"))) void recorder_kill_after(uint64_t more) {
    journal->kill_at = more ? journal->stores + more : 0;
}

/* Let the sync that is `more` syncs away fail with EIO, without being done. */
__attribute__((visibility("default"))) void recorder_fail_sync(uint64_t more) { journal->fail_sync = more; }

__attribute__((visibility("default"))) uint64_t recorder_stores(void) { return journal->stores; }
