// caller ADDRESS INTERVAL_MS : opens one TCP connection to port 80 and asks over it for /counter, each interval, for as long as the connection lives.
// For each line on its standard input it prints one JSON line, with the longest time that passed between two answers since the line before, and
// whether the connection still lives; it ends with its input. The connection is never opened anew: one that broke stays broken.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char request[] = "GET /counter HTTP/1.1\r\nHost: guest\r\n\r\n";

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 3) { fprintf(stderr, "usage: caller ADDRESS INTERVAL_MS\n"); return 2; }
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(80)};
    if (!inet_aton(argv[1], &target.sin_addr)) { fprintf(stderr, "caller: not an address: %s\n", argv[1]); return 2; }
    int64_t interval = atof(argv[2]) * 1e6;
    int tcp = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(tcp, (void *)&target, sizeof target)) { perror("caller: connect"); return 1; }

    bool alive = true, asked = false;
    int64_t last = now(), longest = 0, next = last, answers = 0;
    for (;;) {
        int64_t t = now();
        if (alive && !asked && t >= next) {
            alive = send(tcp, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1;
            asked = alive;
            next = t + interval;
        }
        struct pollfd f[2] = {{0, POLLIN, 0}, {tcp, POLLIN, 0}};
        int64_t due = asked ? 1000000000 : next - t > 0 ? next - t : 0;
        struct timespec wait = {due / 1000000000, due % 1000000000};
        if (ppoll(f, alive ? 2 : 1, &wait, NULL) < 0) break;
        char data[4096];
        if (alive && f[1].revents) {
            if (recv(tcp, data, sizeof data, MSG_DONTWAIT) <= 0) alive = false;
            else {
                int64_t at = now();
                if (at - last > longest) longest = at - last;
                last = at;
                answers++;
                asked = false;
            }
        }
        if (f[0].revents) {
            if (read(0, data, sizeof data) <= 0) break;
            if (now() - last > longest) longest = now() - last;
            printf("{\"gapMs\":%.1f,\"answers\":%lld,\"alive\":%s}\n", longest / 1e6, (long long)answers, alive ? "true" : "false");
            fflush(stdout);
            longest = answers = 0;
        }
    }
    return 0;
}
