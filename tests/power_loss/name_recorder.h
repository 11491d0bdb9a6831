/* name_recorder.h: notes how files get their names and sizes. A part of store_recorder.c, which says what for.
 *
 * Concept:   link, rename, unlink, mkdir, write, ftruncate and posix_fallocate are noted when they have succeeded:
 *            a ring's linkat, and all of these for the files of a log.
 * Caveat:    of names only those that files got by link or rename; one that was opened with O_CREAT is temporary.
 */
static int (*real_linkat)(int, const char *, int, const char *, int);
static int (*real_link)(const char *, const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, off_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);

static void find_real_name_calls(void) {
    real_linkat = dlsym(RTLD_NEXT, "linkat");
    real_link = dlsym(RTLD_NEXT, "link");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_mkdir = dlsym(RTLD_NEXT, "mkdir");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    real_fallocate = dlsym(RTLD_NEXT, "posix_fallocate");
    real_write = dlsym(RTLD_NEXT, "write");
}

static int is_folder(const struct stat *st) {
    struct stat folder;
    return stat(journal->folder, &folder) == 0 && folder.st_ino == st->st_ino && folder.st_dev == st->st_dev;
}

/* What follows the folder in a path of it; NULL: it is not of the log. */
static const char *name_of(const char *path) {
    size_t folder = journal ? strlen(journal->folder) : 0;
    if (!folder || strncmp(path, journal->folder, folder) != 0 || path[folder] != '/')
        return NULL;
    return path + folder + 1;
}

/* The number of the file that has this path now, and whether that is its only name. */
static int file_named(const char *path, int *only) {
    struct stat st;
    int saved = errno, found = lstat(path, &st) == 0 ? live_file(st.st_ino) : -1;
    *only = found >= 0 && st.st_nlink == 1;
    errno = saved;
    return found;
}

static void note_name(char kind, int file, const char *name) {
    lock();
    note(kind, file < 0 ? 0 : file, 0, 0, name, (uint32_t)strlen(name));
    unlock();
}

int linkat(int from, const char *old, int to, const char *name, int flags) {
    int result = real_linkat(from, old, to, name, flags);
    if (result == 0 && journal && journal->file_count && !journal->folder[0]) {
        lock();
        note('L', 0, 0, journal->files[0].size, NULL, 0);
        unlock();
    }
    return result;
}

int link(const char *old, const char *new) {
    int only, result = real_link(old, new), file = result == 0 && name_of(new) ? file_named(new, &only) : -1;
    if (file >= 0)
        note_name('N', file, name_of(new));
    return result;
}

int rename(const char *old, const char *new) {
    int only = 0, replaced = journal && name_of(new) ? file_named(new, &only) : -1;
    int result = real_rename(old, new);
    if (result < 0 || !journal || !name_of(new))
        return result;
    if (replaced >= 0 && only)
        journal->files[replaced].inode = 0;
    if (name_of(old))
        note_name('U', 0, name_of(old));
    note_name('N', file_named(new, &only), name_of(new));
    return result;
}

int unlink(const char *path) {
    int only = 0, file = journal && name_of(path) ? file_named(path, &only) : -1;
    int result = real_unlink(path);
    if (result == 0 && journal && name_of(path)) {
        note_name('U', file, name_of(path));
        if (file >= 0 && only)
            journal->files[file].inode = 0;
    }
    return result;
}

int mkdir(const char *path, mode_t mode) {
    int result = real_mkdir(path, mode);
    if (result == 0 && journal && journal->folder[0] && strcmp(path, journal->folder) == 0)
        note_name('K', 0, "");
    return result;
}

static void set_size(int file, uint64_t size) {
    File *f = &journal->files[file];
    f->size = size;
    if (f->largest < size)
        f->largest = size;
}

static void note_size(int file, uint64_t size) {
    lock();
    if (size < journal->files[file].size)
        memset(journal->shadows[file] + size, 0, journal->files[file].size - size);
    set_size(file, size);
    note('T', file, 0, size, NULL, 0);
    unlock();
}

int ftruncate(int fd, off_t size) {
    int file = file_of(fd), result;
    if (file >= 0) {
        lock();
        note_unseen();
        unlock();
    }
    result = real_ftruncate(fd, size);
    if (result == 0 && file >= 0)
        note_size(file, (uint64_t)size);
    return result;
}

int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int posix_fallocate(int fd, off_t offset, off_t size) {
    int file = file_of(fd), result = real_fallocate(fd, offset, size);
    if (result == 0 && file >= 0 && journal->files[file].size < (uint64_t)(offset + size))
        note_size(file, (uint64_t)(offset + size));
    return result;
}

int posix_fallocate64(int fd, off_t offset, off_t size) { return posix_fallocate(fd, offset, size); }

static void note_written(int file, const void *bytes, size_t size, off_t offset);

ssize_t write(int fd, const void *bytes, size_t size) {
    int file = journal && journal->folder[0] ? file_of(fd) : -1;
    ssize_t done = real_write(fd, bytes, size);
    if (done > 0 && file >= 0)
        note_written(file, bytes, (size_t)done, lseek(fd, 0, SEEK_CUR) - done);
    return done;
}
