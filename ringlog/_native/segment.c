/* segment.c: a log's file as a window that does not move.
 *
 * Concept:   a segment holds a stream from its first byte on, so position p is byte p of the file. It is mapped from
 *            its beginning, and gets a ring's header of our own, in private memory, so that whatever writes and reads
 *            rings works on it. Only the first two words of the file are shared: a writer copies its head there
 *            behind each publication, and a reader takes them from there, a piece at a time.
 * Guarantee: what lies before the file's write_offset are whole entries, whenever the writer is killed: it is stored
 *            last, with release. A reader that asks for more gets whole entries, or the place of a broken one.
 * Caveat:    one writer at a time: its file lock is policy's. After a crash of the machine the words may be newer
 *            than the entries before them: who opens the file for writing checks those.
 */
#include "platform.h"
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringlog/writer.h"

#define STRIDE_SHIFT 14                 /* 16 KiB: a mark each, of which the index is made */
#define PIECE ((int64_t)1 << 20)        /* that a reader is allowed at once: it stays in a core's cache */
#define FIRST_PIECE ((int64_t)4 << 10)  /* behind a seek, which may want one event */
#define READ_AHEAD ((int64_t)4 << 20)   /* of who goes on reading */
#define SHORT_NAP INT64_C(1000000)
#define LONG_NAP INT64_C(5000000)
#define SHORT_NAPS 1000

static int64_t *shared_words(const rl_mapping *m) { return m->segment->base; }

int rl_segment_open(rl_mapping *m, int fd, int mode, int64_t bytes) {
    struct stat st;
    memset(m, 0, sizeof *m);
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || bytes < RL_FIRST_POSITION || bytes >= RL_FURTHEST)
        return -EINVAL;
    rl_segment *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    m->segment = s;
    m->mode = mode;
    m->in_memory = 1; /* it has no commit records */
    m->device = st.st_dev;
    m->inode = st.st_ino;
    m->ring.header = calloc(1, sizeof *m->ring.header);
    m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int protection = mode == RL_MAP_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
    void *base = mmap(NULL, (size_t)bytes, protection, MAP_SHARED, fd, 0);
    int error = base == MAP_FAILED || m->fd < 0 ? -errno : m->ring.header ? 0 : -ENOMEM;
    if (base != MAP_FAILED) {
        m->data_base = s->base = base;
        m->data_bytes = (size_t)bytes;
        if (mode != RL_MAP_WRITE)
            (void)madvise(base, (size_t)bytes, MADV_RANDOM); /* a seek wants little: we ask for more ourselves */
    }
    if (!error) {
        m->watched_data = rl_segment_watch(m, protection);
        error = m->watched_data ? 0 : -ENOMEM;
    }
    if (error) {
        rl_mapping_close(m);
        return error;
    }
    rl_ring *r = &m->ring;
    r->data = (uint8_t *)base + RL_FIRST_POSITION;
    r->mask = INT64_MAX; /* it never comes round */
    r->capacity = 2 * bytes; /* for a reader: an entry may be as large as all of it */
    r->stride_shift = STRIDE_SHIFT;
    r->stride = (int64_t)1 << STRIDE_SHIFT;
    rl_segment_place(m, (rl_place){RL_FIRST_POSITION, 0}, 0);
    return 0;
}

void rl_segment_close(rl_mapping *m) {
    free(m->segment->marks);
    free(m->segment);
    free(m->ring.header);
    m->ring.header = NULL;
}

void rl_segment_place(rl_mapping *m, rl_place place, int64_t timestamp) {
    rl_header *h = m->ring.header;
    rl_place tail = {RL_FIRST_POSITION, m->segment->first};
    memset(h->head, 0, sizeof h->head);
    memset(h->tail, 0, sizeof h->tail);
    h->event_count = place.sequence;
    h->last_timestamp = timestamp;
    rl_pair_store(&h->tail_offset, h->tail, tail);
    rl_pair_store(&h->gate_offset, h->gate, tail);
    rl_pair_store(&h->write_offset, h->head, place);
    m->segment->stride = rl_stride_of(&m->ring, place.position);
    m->segment->piece = FIRST_PIECE;
    m->segment->at = place;
    m->segment->prepared = place.position;
}

/* ---- marks ---- */

/* A mark where a stride begins, for the index. Without memory there is one less. */
static void mark(rl_segment *s, rl_place place, int64_t timestamp) {
    if (s->mark_count == s->mark_room) {
        int64_t room = s->mark_room ? 2 * s->mark_room : 64;
        rl_mark *more = realloc(s->marks, (size_t)room * sizeof *more);
        if (!more)
            return;
        s->marks = more;
        s->mark_room = room;
    }
    s->marks[s->mark_count++] = (rl_mark){place.position, place.sequence, timestamp, 0};
}

/* Walk over entries, whose bytes are all before `end`, and mark the strides that begin. 1: all were entries. */
static int mark_strides(rl_mapping *m, int64_t end) {
    rl_segment *s = m->segment;
    while (s->at.position < end) {
        rl_entry entry;
        int64_t bytes = RL_ENTRY_SIZE;
        if (end - s->at.position >= bytes) {
            entry = rl_entry_at(rl_at(&m->ring, s->at.position));
            bytes += (int64_t)entry.size;
        }
        if (end - s->at.position < bytes || entry.timestamp <= 0)
            return 0;
        s->at.position += bytes;
        s->at.sequence++;
        int64_t stride = rl_stride_of(&m->ring, s->at.position);
        if (stride != s->stride)
            mark(s, s->at, entry.timestamp);
        s->stride = stride;
    }
    return 1;
}

int rl_segment_survey(rl_mapping *m, rl_place from, int64_t end) {
    rl_segment *s = m->segment;
    int64_t mapped = (int64_t)m->data_bytes;
    int whole = 1;
    if (end > mapped)
        end = mapped;
    s->at = from;
    s->stride = rl_stride_of(&m->ring, from.position);
    while (whole && s->at.position < end) {
        int64_t start = s->at.position, stop = end - start < PIECE ? end : start + PIECE;
        rl_segment_want(m, start, stop, READ_AHEAD);
        whole = mark_strides(m, stop) || stop < end;
        if (s->at.position == start) { /* an entry is larger */
            whole = mark_strides(m, end);
            break;
        }
        rl_segment_touch(m, s->at.position, s->at.position - start);
    }
    return whole;
}

/* ---- reading ---- */

int64_t rl_segment_end(const rl_mapping *m) {
    /* Pairs with the release in rl_segment_publish: every entry before it is there. */
    return RL_LOAD_ACQUIRE(&shared_words(m)[0]);
}

int rl_segment_look(rl_mapping *m) {
    rl_header *h = m->ring.header;
    rl_place at;
    int64_t there = rl_segment_end(m), mapped = (int64_t)m->data_bytes, end = there < mapped ? there : mapped;
    if (!rl_pair_load(&h->write_offset, h->head, &at))
        return 0;
    int64_t start = at.position, piece = m->segment->piece;
    m->segment->piece = 2 * piece < PIECE ? 2 * piece : PIECE;
    rl_segment_want(m, start, start + piece < end ? start + piece : end, piece < PIECE ? 0 : READ_AHEAD);
    while (at.position < end && at.position - start < piece) {
        rl_entry entry;
        int64_t bytes = RL_ENTRY_SIZE;
        if (end - at.position >= bytes) {
            entry = rl_entry_at(rl_at(&m->ring, at.position));
            bytes += (int64_t)entry.size;
        }
        if (end - at.position < bytes) {
            if (at.position > start || there > mapped)
                break; /* if it is the first, policy has to map more */
            at.position = end; /* the reader finds out what is wrong there */
        } else {
            at.position += bytes;
        }
        at.sequence++;
    }
    if (at.position == start)
        return 0;
    rl_segment_touch(m, at.position, at.position - start);
    rl_pair_store(&h->write_offset, h->head, at);
    h->event_count = at.sequence;
    return 1;
}

int rl_segment_wait(rl_mapping *m, int64_t position, int64_t limit, rl_patience *patience) {
    int64_t nap = patience->naps < SHORT_NAPS ? SHORT_NAP : LONG_NAP;
    if (limit < nap)
        nap = limit;
    rl_nap(nap);
    int found = rl_segment_end(m) != position;
    patience->naps = found ? 0 : patience->naps + 1;
    return found;
}

/* ---- writing ---- */

void rl_segment_allow(rl_mapping *m, int64_t bytes) {
    rl_segment *s = m->segment;
    s->allowed = bytes < (int64_t)m->data_bytes ? bytes : (int64_t)m->data_bytes;
    if (s->prepared > s->allowed)
        s->prepared = s->allowed;
    m->ring.capacity = s->prepared - RL_FIRST_POSITION;
}

void rl_segment_publish(rl_mapping *m, int64_t position, int64_t sequence) {
    rl_segment *s = m->segment;
    int64_t *words = shared_words(m);
    /* The count first: a reader does not look at it, and who repairs believes the entries. */
    RL_STORE_RELAXED(&words[1], sequence - s->first);
    RL_POINT(log_counted);
    RL_STORE_RELEASE(&words[0], position); /* pairs with the acquire in rl_segment_end */
    RL_POINT(log_published);
    if (RL_UNLIKELY(rl_stride_of(&m->ring, position) != s->stride)) {
        rl_segment_touch(m, position, position - s->at.position);
        (void)mark_strides(m, position);
        RL_POINT(log_marked);
    }
    s->at = (rl_place){position, sequence};
}

int rl_segment_sync(rl_mapping *m, int64_t from, int64_t to) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), base = (uintptr_t)m->segment->base;
    uintptr_t start = (base + (uintptr_t)from) / page * page, end = base + (uintptr_t)to;
    if (m->segment->failed)
        return m->segment->failed; /* the kernel may take pages for clean that it failed to write */
    int error = to > from && msync((void *)start, end - start, MS_SYNC) < 0 ? -errno : 0;
    RL_POINT(log_entries_synced);
    if (!error && msync((void *)base, page, MS_SYNC) < 0) /* behind the entries: the words that vouch for them */
        error = -errno;
    RL_POINT(log_words_synced);
    (void)rl_mapping_named(m);
    if (!error && rl_mapping_broken(m))
        error = -EIO;
    m->segment->failed = error;
    return error;
}
