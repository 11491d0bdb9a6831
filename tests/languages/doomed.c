/* doomed.c: a C writer that is killed when it has passed a named point so often: doomed RING POINT HITS EVENTS. With
 * POINT "fork" it forks instead, and the child's answers are printed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "point_actions.h"
#include "ring_file.h"

#define NAME(name) #name,
static const char *const names[] = {RL_POINTS(NAME)};

static int forked(ring_writer *writer, const char *path) {
    ring_reader *reader;
    ring_event event;
    if (ring_reader_open(&reader, path, RING_LOSSLESS) != 0)
        return 3;
    pid_t child = fork();
    if (child == 0) {
        printf("%lld\n", (long long)ring_append(writer, "child", 5, 0));
        printf("%d\n", ring_read(reader, &event, 0));
        ring_reader_close(reader);
        ring_writer_close(writer);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("%lld\n", (long long)ring_append(writer, "parent", 6, 0));
    printf("%d\n", ring_read(reader, &event, 0));
    ring_reader_close(reader);
    ring_writer_close(writer);
    return 0;
}

int main(int argc, char **argv) {
    ring_writer *writer;
    char text[64];
    int point = 0;
    if (argc != 5 || ring_writer_open(&writer, argv[1]) != 0)
        return 2;
    if (strcmp(argv[2], "fork") == 0)
        return forked(writer, argv[1]);
    while (point < RL_POINT_COUNT && strcmp(names[point], argv[2]) != 0)
        point++;
    rl_point_arm(point, SIGKILL, 0, atoi(argv[3]));
    for (int k = 0; k < atoi(argv[4]); k++) {
        int size = snprintf(text, sizeof text, "doomed %d", k);
        if (ring_append(writer, text, (size_t)size, 20000000000) < 0)
            return 4;
        printf("%d\n", k);
        fflush(stdout);
    }
    ring_writer_close(writer);
    return 0;
}
