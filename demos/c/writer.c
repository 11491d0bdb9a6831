/* writer.c: each line of standard input is an event of a ring.
 *
 *     writer [--end] [--timeout SECONDS] RING     --end: readers stop after the last line
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "ring_file.h"

static int failed(const char *path, int64_t error) {
    fprintf(stderr, "writer: %s: %s\n", path, strerror((int)-error));
    return 1;
}

int main(int argc, char **argv) {
    int end = 0, at = 1;
    int64_t timeout = -1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--end") == 0)
            end = 1;
        else if (strcmp(argv[at], "--timeout") == 0 && at + 1 < argc)
            timeout = (int64_t)(strtod(argv[++at], NULL) * 1e9);
        else
            break;
    }
    if (at != argc - 1) {
        fprintf(stderr, "usage: writer [--end] [--timeout SECONDS] RING\n");
        return 2;
    }
    const char *path = argv[at];
    ring_writer *writer;
    int error = ring_writer_open(&writer, path);
    if (error)
        return failed(path, error);

    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int64_t sequence = 0, events = 0;
    while (sequence >= 0 && (size = getline(&line, &room, stdin)) >= 0) {
        if (size > 0 && line[size - 1] == '\n')
            size--;
        sequence = ring_append(writer, line, (size_t)size, timeout);
        events += sequence >= 0;
    }
    free(line);
    if (sequence >= 0 && end)
        sequence = ring_end(writer, timeout);
    ring_writer_close(writer);
    fprintf(stderr, "%lld events\n", (long long)events);
    return sequence < 0 ? failed(path, sequence) : 0;
}
