/* What disks, other processes and clocks do at the worst moment, for one program: preloaded, it stands between the program
 * and the C library. FAULT says what, PATH_HAS which files (a part of their path), AT from which byte on, once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int is(const char *fault) {
    const char *f = getenv("FAULT");
    return f && !strcmp(f, fault);
}

static long number(const char *name) {
    const char *n = getenv(name);
    return n ? atol(n) : 0;
}

static int named(const char *path) {
    const char *part = getenv("PATH_HAS");
    return part && path && strstr(path, part) != 0;
}

static int meant(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 4095);
    path[n > 0 ? n : 0] = 0;
    return named(path);
}

static void put(const char *path, int flags, const char *text) {
    int fd = open(path, flags | O_WRONLY | O_CREAT, 0600);
    if (fd >= 0) {
        if (write(fd, text, strlen(text)) < 0) abort();
        close(fd);
    }
}

/* What happens to a file that is being read; -1 where the read fails. */
static int happen(const char *path) {
    static int done;
    char other[4200];
    if (is("eio")) { errno = EIO; return -1; }
    if (done++) return 0;
    snprintf(other, sizeof other, "%s.1", path);
    if (is("truncate") && truncate(path, 100)) abort();
    if (is("remove") && unlink(path)) abort();
    if (is("rename")) { if (rename(path, other)) abort(); put(path, 0, "new\n"); }
    if (is("grow")) put(path, O_APPEND, "more\n");
    return 0;
}

ssize_t pread64(int fd, void *buf, size_t n, off_t at) {
    static ssize_t (*real)(int, void *, size_t, off_t);
    static int calls;
    char path[4096];
    if (!real) real = dlsym(RTLD_NEXT, "pread64");
    if (meant(fd, path)) {
        if (is("short")) {
            if (++calls % 2) { errno = EINTR; return -1; }
            if (n > 777) n = 777;
        }
        if (at >= number("AT") && happen(path)) return -1;
    }
    return real(fd, buf, n, at);
}

ssize_t read(int fd, void *buf, size_t n) {
    static ssize_t (*real)(int, void *, size_t);
    static long got;
    char path[4096];
    if (!real) real = dlsym(RTLD_NEXT, "read");
    if (!meant(fd, path)) return real(fd, buf, n);
    if (is("short") && n > 777) n = 777;
    if (got >= number("AT") && happen(path)) return -1;
    ssize_t r = real(fd, buf, n);
    if (r > 0) got += r;
    return r;
}

ssize_t write(int fd, const void *buf, size_t n) {
    static ssize_t (*real)(int, const void *, size_t);
    static long put;
    char path[4096];
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (is("full") && meant(fd, path) && (put += n) > number("AT")) { errno = ENOSPC; return -1; }
    return real(fd, buf, n);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off_t at) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    char path[4096];
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    if (is("full") && meant(fd, path) && at + (long)n > number("AT")) { errno = ENOSPC; return -1; }
    return real(fd, buf, n, at);
}

int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    if (!real) real = dlsym(RTLD_NEXT, "open64");
    if (is("denied") && named(path)) { errno = EACCES; return -1; }
    return real(path, flags, mode);
}

int clock_gettime(clockid_t clock, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(clock, t);
    if (clock == CLOCK_REALTIME && is("clock")) t->tv_sec = number("AT");
    return r;
}
