// prober ADDRESS INTERVAL_MS : sends one ICMP echo (the guest's kernel answers) and one UDP echo to port 7000 (a guest process answers) each
// interval, until its standard input closes; then prints one JSON line with the longest silence between two replies of each kind.
// Silence is counted from the last reply before the gap to the first one after it, whatever probe it answers.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct silence { int64_t first, last, longest, longest_at, replies; };
struct packet { struct icmphdr head; uint32_t sequence; } __attribute__((packed));

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static uint16_t checksum(const void *data, int length)
{
    const uint16_t *words = data;
    uint32_t sum = 0;
    for (; length > 1; length -= 2) sum += *words++;
    while (sum >> 16) sum = (sum & 65535) + (sum >> 16);
    return ~sum;
}

static void reply(struct silence *s, int64_t at)
{
    if (s->replies++ == 0) s->first = at;
    else if (at - s->last > s->longest) { s->longest = at - s->last; s->longest_at = s->last; }
    s->last = at;
}

static void print(const char *name, const struct silence *s, int64_t start, const char *end)
{
    printf("\"%s\":{\"gapMs\":%.1f,\"atMs\":%.1f,\"replies\":%lld}%s", name, s->longest / 1e6, s->longest ? (s->longest_at - start) / 1e6 : 0.0, (long long)s->replies, end);
}

int main(int argc, char **argv)
{
    if (argc < 3) { fprintf(stderr, "usage: prober ADDRESS INTERVAL_MS\n"); return 2; }
    struct sockaddr_in target = {.sin_family = AF_INET};
    if (!inet_aton(argv[1], &target.sin_addr)) { fprintf(stderr, "prober: not an address: %s\n", argv[1]); return 2; }
    struct sockaddr_in echo = target;
    echo.sin_port = htons(7000);
    int64_t interval = atof(argv[2]) * 1e6, start = now(), next = start;
    int icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), udp = socket(AF_INET, SOCK_DGRAM, 0);
    if (icmp < 0 || udp < 0) { perror("prober: socket (root?)"); return 1; }
    uint16_t id = getpid();
    uint32_t sequence = 0;
    struct silence kernel = {0}, user = {0};
    for (;;) {
        int64_t t = now();
        if (t >= next) {
            struct packet p = {.head = {.type = ICMP_ECHO}};
            p.head.un.echo.id = id;
            p.head.un.echo.sequence = htons(sequence);
            p.sequence = sequence;
            p.head.checksum = checksum(&p, sizeof p);
            sendto(icmp, &p, sizeof p, MSG_DONTWAIT, (void *)&target, sizeof target);
            sendto(udp, &sequence, sizeof sequence, MSG_DONTWAIT, (void *)&echo, sizeof echo);
            sequence++;
            next += interval;
            if (t > next + 4 * interval) next = t;
            continue;
        }
        struct pollfd f[3] = {{icmp, POLLIN, 0}, {udp, POLLIN, 0}, {0, POLLIN, 0}};
        struct timespec wait = {0, next - t};
        if (ppoll(f, 3, &wait, NULL) <= 0) continue;
        char data[2048];
        if (f[0].revents) {
            ssize_t n = recv(icmp, data, sizeof data, MSG_DONTWAIT);
            struct icmphdr *head = (void *)(data + 20);
            if (n >= 28 && head->type == ICMP_ECHOREPLY && head->un.echo.id == id) reply(&kernel, now());
        }
        if (f[1].revents && recv(udp, data, sizeof data, MSG_DONTWAIT) == sizeof sequence) reply(&user, now());
        if (f[2].revents && read(0, data, sizeof data) <= 0) break;
    }
    printf("{\"sent\":%u,", sequence);
    print("icmp", &kernel, start, ",");
    print("udp", &user, start, "}\n");
    return 0;
}
