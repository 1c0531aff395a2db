// tinyd: the whole user space of the `tiny` guest that is not busybox.
//
// It answers the two questions that matter after a move: did the guest go on (a counter that only ever rises), and is
// its memory what it was (every page can be recomputed and compared)?
//
//   ballast   pages filled once from their index; never written again.
//   writer    a working set whose pages are rewritten at a settable rate and in a settable pattern. A page's first word is
//             its generation g (how often it was written); word 1 + (g mod 510) holds mix(page, g). A page whose stored
//             word does not match its generation was torn, lost or taken from another moment.
//   disk      the same for the first blocks of /dev/vda, past the guest's cache: memory remembers each block's generation, so
//             a disk that is not of the same moment as the memory shows.
//
// HTTP on port 80 (--port):  GET /counter  GET /memory  GET /disk  GET /writer[?rateBytesPerSecond=&workingSetBytes=&pattern=]  GET /
// UDP echo on port 7000, for probes that want an answer from user space.
// Arguments: --rate BYTES_PER_S (-1: as fast as it can) --set BYTES --ballast BYTES --pattern NAME --report SECONDS --disk-set BYTES --disk-rate BYTES_PER_S --port HTTP_PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, SLOTS = WORDS - 2, REQUEST_MAX = 2048 };
enum pattern { SEQUENTIAL, RANDOM, HOTCOLD, BURSTY };
static const char *const PATTERNS[] = {"sequential", "random", "hotcold", "bursty"};

static _Atomic uint64_t counter, requests, written_pages, checked_pages, bad_pages, check_rounds;
static uint64_t *ballast, *set;
static size_t ballast_pages, set_pages;
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER; // Guards the working set and its settings.
static double rate;
static enum pattern pattern;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void sleep_until(double moment)
{
    struct timespec t = {(time_t)moment, (long)((moment - (time_t)moment) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static uint64_t mix(uint64_t a, uint64_t b) // splitmix64 of a pair
{
    uint64_t z = a * 0x9E3779B97F4A7C15ull + b + 0x632BE59BD9B4E019ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

static uint64_t *map_pages(size_t pages)
{
    if (pages == 0) return NULL;
    void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) { perror("tinyd: mmap"); return NULL; }
    return p;
}

static void write_page(size_t page)
{
    uint64_t *words = set + page * WORDS, generation = words[0] + 1;
    words[1 + generation % SLOTS] = mix(page, generation);
    words[0] = generation;
}

static int page_is_good(size_t page)
{
    const uint64_t *words = set + page * WORDS;
    return words[1 + words[0] % SLOTS] == mix(page, words[0]);
}

// Fresh pages are filled whole, so that they are neither zero nor compressible, and stand at generation 0.
static void fill_set(void)
{
    for (size_t p = 0; p < set_pages; p++) {
        uint64_t *words = set + p * WORDS;
        for (int i = 1; i < WORDS; i++) words[i] = mix(p + 7, i);
        words[0] = 0;
        words[1] = mix(p, 0);
    }
}

static void *run_counter(void *unused)
{
    for (double next = now();;) { atomic_fetch_add(&counter, 1); sleep_until(next += 0.01); if (now() - next > 1) next = now(); }
    return unused;
}

static size_t next_page(uint64_t step)
{
    uint64_t chance = mix(step, 99);
    switch (pattern) {
    case RANDOM: return chance % set_pages;
    case HOTCOLD: return chance % 10 ? (chance >> 8) % (set_pages / 10 + 1) % set_pages : (chance >> 8) % set_pages; // 90 % of writes on a tenth
    default: return step % set_pages;
    }
}

static void *run_writer(void *unused)
{
    const double tick = 0.005;
    uint64_t step = 0;
    double owed = 0;
    for (double next = now();;) {
        pthread_mutex_lock(&writer_lock);
        double speed = rate;
        if (speed != 0 && set_pages > 0) {
            if (pattern == BURSTY && speed > 0) speed = ((uint64_t)next / 2) % 2 ? 0 : speed * 2; // 2 s on, 2 s off, same mean
            size_t batch;
            if (speed < 0) batch = 2048;
            else { owed += speed * tick / PAGE; batch = (size_t)owed; owed -= batch; }
            for (size_t i = 0; i < batch; i++) write_page(next_page(step++));
            atomic_fetch_add(&written_pages, batch);
        }
        pthread_mutex_unlock(&writer_lock);
        if (speed < 0) continue;
        sleep_until(next += tick);
        if (now() - next > 0.25) next = now(); // Never catches up more than a quarter of a second.
    }
    return unused;
}

// Rereads everything. Returns the number of bad pages; the writer is held only a page batch at a time.
static uint64_t check_memory(void)
{
    uint64_t bad = 0;
    for (size_t p = 0; p < ballast_pages; p++) {
        const uint64_t *words = ballast + p * WORDS;
        for (int i = 0; i < WORDS; i++) if (words[i] != mix(p, i)) { bad++; break; }
        atomic_fetch_add(&checked_pages, 1);
    }
    for (size_t p = 0; ; p++) {
        pthread_mutex_lock(&writer_lock);
        int more = p < set_pages;
        if (more && !page_is_good(p)) bad++;
        pthread_mutex_unlock(&writer_lock);
        if (!more) break;
        atomic_fetch_add(&checked_pages, 1);
    }
    atomic_fetch_add(&check_rounds, 1);
    atomic_fetch_add(&bad_pages, bad);
    return bad;
}

// The disk: one thread writes, whoever asks reads; both hold the lock for one request at a time.
enum { DISK_BATCH = 16 };
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t *disk_generations; // Of each block of PAGE bytes; as last written and acknowledged.
static size_t disk_blocks;
static double disk_rate;
static int disk = -1;
static _Atomic uint64_t disk_writes, disk_errors;

static void fill_block(uint64_t *words, size_t block, uint32_t generation)
{
    for (int i = 0; i < WORDS; i++) words[i] = mix(block * WORDS + i, generation);
}

// Blocks FIRST and on, each at its next generation.
static void write_blocks(uint64_t *buffer, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) fill_block(buffer + i * WORDS, first + i, disk_generations[first + i] + 1);
    if (pwrite(disk, buffer, count * PAGE, (off_t)first * PAGE) != (ssize_t)(count * PAGE)) { atomic_fetch_add(&disk_errors, 1); return; }
    for (size_t i = 0; i < count; i++) disk_generations[first + i]++;
    atomic_fetch_add(&disk_writes, count);
}

static void *run_disk(void *unused)
{
    uint64_t *buffer = map_pages(DISK_BATCH), step = 0;
    for (size_t first = 0; first < disk_blocks; first += DISK_BATCH) {
        pthread_mutex_lock(&disk_lock);
        write_blocks(buffer, first, disk_blocks - first < DISK_BATCH ? disk_blocks - first : DISK_BATCH);
        pthread_mutex_unlock(&disk_lock);
    }
    for (double next = now(); disk_rate > 0;) {
        pthread_mutex_lock(&disk_lock);
        write_blocks(buffer, mix(step++, 77) % disk_blocks, 1);
        pthread_mutex_unlock(&disk_lock);
        sleep_until(next += PAGE / disk_rate);
        if (now() - next > 0.25) next = now();
    }
    return unused;
}

// Rereads every block from the disk itself; a check holds the writer up, so that all is of one moment.
static uint64_t check_disk(void)
{
    uint64_t bad = 0, *read_words = map_pages(DISK_BATCH), *wanted = map_pages(1);
    pthread_mutex_lock(&disk_lock);
    for (size_t first = 0; first < disk_blocks; first += DISK_BATCH) {
        size_t count = disk_blocks - first < DISK_BATCH ? disk_blocks - first : DISK_BATCH;
        int failed = pread(disk, read_words, count * PAGE, (off_t)first * PAGE) != (ssize_t)(count * PAGE);
        for (size_t i = 0; i < count; i++) {
            if (disk_generations[first + i] == 0) continue; // Not written yet.
            fill_block(wanted, first + i, disk_generations[first + i]);
            if (failed || memcmp(wanted, read_words + i * WORDS, PAGE) != 0) bad++;
        }
    }
    pthread_mutex_unlock(&disk_lock);
    munmap(read_words, DISK_BATCH * PAGE);
    munmap(wanted, PAGE);
    return bad;
}

static void start_disk(size_t bytes)
{
    disk_blocks = bytes / PAGE;
    if (disk_blocks == 0) return;
    disk = open("/dev/vda", O_RDWR | O_DIRECT);
    disk_generations = calloc(disk_blocks, sizeof *disk_generations);
    if (disk < 0 || !disk_generations) { perror("tinyd: /dev/vda"); disk_blocks = 0; }
}

static int parse_pattern(const char *name)
{
    for (int i = 0; i < 4; i++) if (strcmp(name, PATTERNS[i]) == 0) return i;
    return -1;
}

// Value of a query parameter, copied; 0 when absent.
static int query_value(const char *query, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    for (const char *p = query; p && *p; p = strchr(p, '&'), p = p ? p + 1 : NULL) {
        if (strncmp(p, key, length) != 0 || p[length] != '=') continue;
        p += length + 1;
        size_t n = strcspn(p, "& ");
        if (n >= size) return 0;
        memcpy(value, p, n);
        value[n] = 0;
        return 1;
    }
    return 0;
}

static int configure_writer(const char *query)
{
    char value[64];
    pthread_mutex_lock(&writer_lock);
    if (query_value(query, "pattern", value, sizeof value)) {
        int chosen = parse_pattern(value);
        if (chosen < 0) { pthread_mutex_unlock(&writer_lock); return 0; }
        pattern = chosen;
    }
    if (query_value(query, "workingSetBytes", value, sizeof value)) {
        size_t pages = strtoull(value, NULL, 10) / PAGE;
        if (pages != set_pages) {
            uint64_t *fresh = map_pages(pages);
            if (pages > 0 && !fresh) { pthread_mutex_unlock(&writer_lock); return 0; }
            if (set) munmap(set, set_pages * PAGE);
            set = fresh;
            set_pages = pages;
            fill_set();
        }
    }
    if (query_value(query, "rateBytesPerSecond", value, sizeof value)) rate = strtod(value, NULL);
    pthread_mutex_unlock(&writer_lock);
    return 1;
}

static void answer(int client, const char *status, const char *body)
{
    char head[256];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status, strlen(body));
    if (write(client, head, n) == n && write(client, body, strlen(body)) < 0) return;
}

static void handle(int client, char *request)
{
    char body[512], *target = strchr(request, ' ');
    if (!target) { answer(client, "400 Bad Request", "{\"error\":\"no request line\"}\n"); return; }
    target++;
    char *query = strchr(target, '?'), *end = strpbrk(target, " ?");
    if (query && end && query > end) query = NULL;
    size_t length = end ? (size_t)(end - target) : strlen(target);
    uint64_t served = atomic_fetch_add(&requests, 1) + 1;
    if (length == 8 && memcmp(target, "/counter", 8) == 0) {
        snprintf(body, sizeof body, "{\"counter\":%llu,\"requests\":%llu,\"uptimeMs\":%.0f}\n",
                 (unsigned long long)atomic_load(&counter), (unsigned long long)served, now() * 1000);
    } else if (length == 7 && memcmp(target, "/memory", 7) == 0) {
        uint64_t bad = check_memory();
        snprintf(body, sizeof body, "{\"intact\":%s,\"badPages\":%llu,\"pages\":%zu,\"ballastBytes\":%zu,\"workingSetBytes\":%zu,\"rounds\":%llu}\n",
                 bad ? "false" : "true", (unsigned long long)bad, ballast_pages + set_pages, ballast_pages * PAGE, set_pages * PAGE,
                 (unsigned long long)atomic_load(&check_rounds));
    } else if (length == 5 && memcmp(target, "/disk", 5) == 0) {
        uint64_t bad = check_disk();
        snprintf(body, sizeof body, "{\"intact\":%s,\"badBlocks\":%llu,\"blocks\":%zu,\"writes\":%llu,\"errors\":%llu}\n", bad ? "false" : "true",
                 (unsigned long long)bad, disk_blocks, (unsigned long long)atomic_load(&disk_writes), (unsigned long long)atomic_load(&disk_errors));
    } else if (length == 7 && memcmp(target, "/writer", 7) == 0) {
        if (query && !configure_writer(query + 1)) { answer(client, "400 Bad Request", "{\"error\":\"unknown pattern, or not enough memory\"}\n"); return; }
        snprintf(body, sizeof body, "{\"rateBytesPerSecond\":%.0f,\"workingSetBytes\":%zu,\"pattern\":\"%s\",\"writtenPages\":%llu}\n",
                 rate, set_pages * PAGE, PATTERNS[pattern], (unsigned long long)atomic_load(&written_pages));
    } else if (length == 1) {
        char name[64] = "tiny";
        gethostname(name, sizeof name - 1);
        snprintf(body, sizeof body, "{\"name\":\"%s\",\"counter\":%llu,\"requests\":%llu}\n", name,
                 (unsigned long long)atomic_load(&counter), (unsigned long long)served);
    } else { answer(client, "404 Not Found", "{\"error\":\"try /counter, /memory, /disk or /writer\"}\n"); return; }
    answer(client, "200 OK", body);
}

// Keep-alive connections stay open across a move: that is what a client's open TCP connection tests.
static void *serve_client(void *argument)
{
    int client = (int)(intptr_t)argument;
    char request[REQUEST_MAX];
    size_t used = 0;
    for (;;) {
        ssize_t n = read(client, request + used, sizeof request - 1 - used);
        if (n <= 0) break;
        used += n;
        request[used] = 0;
        char *end;
        while ((end = strstr(request, "\r\n\r\n")) != NULL) {
            *end = 0;
            handle(client, request);
            size_t rest = used - (size_t)(end + 4 - request);
            memmove(request, end + 4, rest + 1);
            used = rest;
        }
        if (used >= sizeof request - 1) break; // Longer than any request of ours.
    }
    close(client);
    return NULL;
}

static void start(void *(*run)(void *), void *argument, size_t stack)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack);
    if (pthread_create(&thread, &attributes, run, argument) != 0) perror("tinyd: thread");
    pthread_attr_destroy(&attributes);
}

static int port = 80;

static void *run_http(void *unused)
{
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 64)) { perror("tinyd: HTTP port"); return unused; }
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) continue;
        struct timeval bound = {.tv_sec = 600};
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // Head and body are written apart: neither waits for the other's acknowledgement.
        start(serve_client, (void *)(intptr_t)client, 64 << 10);
    }
}

static void *run_echo(void *unused)
{
    int echo = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7000)};
    if (bind(echo, (void *)&address, sizeof address)) { perror("tinyd: port 7000"); return unused; }
    for (char data[2048];;) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        ssize_t n = recvfrom(echo, data, sizeof data, 0, (void *)&peer, &length);
        if (n > 0) sendto(echo, data, n, 0, (void *)&peer, length);
    }
}

int main(int argc, char **argv)
{
    double report = 0;
    size_t set_bytes = 0, disk_bytes = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--rate") == 0) rate = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--set") == 0) set_bytes = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--ballast") == 0) ballast_pages = strtoull(argv[i + 1], NULL, 10) / PAGE;
        else if (strcmp(argv[i], "--disk-set") == 0) disk_bytes = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--disk-rate") == 0) disk_rate = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--report") == 0) report = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--port") == 0) port = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--pattern") == 0) { int p = parse_pattern(argv[i + 1]); pattern = p < 0 ? SEQUENTIAL : p; }
    }
    ballast = map_pages(ballast_pages);
    if (!ballast) ballast_pages = 0;
    for (size_t p = 0; p < ballast_pages; p++) for (int i = 0; i < WORDS; i++) ballast[p * WORDS + i] = mix(p, i);
    set_pages = set_bytes / PAGE;
    set = map_pages(set_pages);
    if (!set) set_pages = 0;
    fill_set();
    start_disk(disk_bytes);
    if (disk_blocks > 0) start(run_disk, NULL, 64 << 10);
    start(run_counter, NULL, 64 << 10);
    start(run_writer, NULL, 64 << 10);
    start(run_http, NULL, 64 << 10);
    start(run_echo, NULL, 64 << 10);
    printf("tiny: ready, ballast %zu MiB, working set %zu MiB, rate %.0f bytes/s, pattern %s\n", ballast_pages >> 8, set_pages >> 8, rate, PATTERNS[pattern]);
    fflush(stdout);
    for (double next = now();;) {
        uint64_t before = atomic_load(&written_pages);
        sleep_until(next += report > 0 ? report : 3600);
        if (report > 0) { printf("tiny: counter %llu wrote %.1f MB/s\n", (unsigned long long)atomic_load(&counter), (atomic_load(&written_pages) - before) * PAGE / report / 1e6); fflush(stdout); }
    }
}
