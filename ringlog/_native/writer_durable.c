/* writer_durable.c: what makes G9 hold: data on disk, then a commit record on disk, then the publication;
 * and no record that goes on naming bytes which are overwritten, or a head that was never published.
 */
#include "writer_object.h"

int rl_writer_settle_commits(WriterObject *self) {
    rl_header *h = self->ring.header;
    int error;
    if (RL_LIKELY(!(RL_LOAD_ACQUIRE(&h->commits_dirty) & RL_COMMITS_CHANGED))) /* pairs with rl_commits_touch */
        return 1;
    Py_BEGIN_ALLOW_THREADS
    error = rl_mapping_sync_header(&self->mapping->map);
    Py_END_ALLOW_THREADS
    if (error)
        return rl_raise_os_error(error);
    (void)RL_FETCH_AND(&h->commits_dirty, ~(uint32_t)RL_COMMITS_CHANGED);
    RL_POINT(commit_settled);
    return 1;
}

int rl_writer_make_durable(WriterObject *self, const rl_append *a, int64_t from, rl_place tail) {
    rl_mapping *map = &self->mapping->map;
    rl_place head = {a->position, a->sequence};
    rl_commit newest;
    int any = rl_commit_newest(&self->ring, &newest, self->mapping->checksum->sum) >= 0;
    int64_t known = any ? newest.head.position : tail.position;
    if (self->disk_error) /* the kernel forgets what it failed to write: a later sync would say nothing */
        return rl_raise_os_error(self->disk_error);
    /* A new record takes the older one's place: first the newest has to be on disk. It may not be if a writer was
     * killed, or a sync failed, in between. */
    if (!rl_writer_settle_commits(self))
        return 0;
    /* A sync has failed before, of this writer or of another: then nothing that the window holds is known to be on
     * disk, and once all of it is, with the header, that is over (unless another one fails meanwhile). */
    uint32_t before = RL_LOAD_RELAXED(&self->ring.header->commits_dirty) | RL_COMMITS_CHANGED;
    if (before & RL_SYNC_FAILED)
        from = tail.position;
    else if (known < from) /* others may have appended without syncing: the record vouches for theirs too */
        from = known > tail.position ? known : tail.position;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = rl_mapping_sync(map, from, a->position);
    if (!error) {
        RL_POINT(commit_data_synced);
        rl_commit_store(&self->ring, head, tail, a->timestamp, self->mapping->checksum->sum);
        error = rl_mapping_sync_header(map);
        RL_POINT(commit_synced);
    }
    if (error) /* the record may be there and is not to be believed */
        rl_commit_drop_ahead(&self->ring, self->mapping->checksum->sum);
    else
        (void)RL_SWAP(&self->ring.header->commits_dirty, before, 0);
    Py_END_ALLOW_THREADS
    self->disk_error = error;
    return !error || (rl_writer_sound(self) && rl_raise_os_error(error));
}

rl_status rl_writer_recover(WriterObject *self) {
    rl_header *h = self->ring.header;
    rl_status status = rl_recover(&self->ring);
    if (status == RL_OK)
        rl_commit_drop_ahead(&self->ring, self->mapping->checksum->sum);
    RL_POINT(recover_commits);
    RL_FETCH_ADD(&h->sleepers_futex, 1); /* the dead may have published and not woken */
    rl_wake_all(&h->sleepers_futex);
    RL_POINT(recover_woken);
    return status;
}

int rl_writer_protect_commit(WriterObject *self, const rl_append *a, rl_place want) {
    switch (rl_commit_shorten(&self->ring, want, self->mapping->checksum->sum)) {
    case RL_COMMIT_STANDS:
        return 1;
    case RL_COMMIT_OVERWRITTEN:
        if (self->synced)
            return rl_writer_make_durable(self, a, want.position, want);
        /* The older one first, on disk too: it names what was overwritten long ago, and a torn page could have
         * lost the newest one only. */
        if (rl_commit_drop_older(&self->ring, self->mapping->checksum->sum) && !rl_writer_settle_commits(self))
            return 0;
        rl_commit_drop_all(&self->ring, self->mapping->checksum->sum);
        break;
    default:
        break;
    }
    return rl_writer_settle_commits(self);
}
