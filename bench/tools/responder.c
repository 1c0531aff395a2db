// responder PORT : answers every HTTP request with a page of 1 000 bytes and closes the connection; one process that waits for all of
// its connections at once and never forks, so that what is measured through it is the way to it. As the first process of a container it ends at SIGTERM.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int signal) { (void)signal; _exit(0); }

int main(int count, char **arguments) {
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(arguments[1]) : 80) };
    int one = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    char request[4096], answer[1200];
    int length = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n");
    memset(answer + length, 'x', 1000);
    signal(SIGTERM, end);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (struct sockaddr *)&here, sizeof here) != 0 || listen(door, 512) != 0) { perror("responder"); return 1; }
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &(struct epoll_event){ .events = EPOLLIN, .data.fd = door });
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int at = events[i].data.fd, client;
            if (at == door) {
                while ((client = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                    epoll_ctl(poll, EPOLL_CTL_ADD, client, &(struct epoll_event){ .events = EPOLLIN, .data.fd = client });
                continue;
            }
            // The whole request of such a small client comes at once, and the whole answer fits the socket.
            if (read(at, request, sizeof request) > 0 && write(at, answer, length + 1000) != length + 1000) perror("responder");
            close(at);
        }
    }
}
