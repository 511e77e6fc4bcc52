/* A bad machine. Preloaded into the product's process (LD_PRELOAD), it makes a disk full or read-only, a clock wrong, and notes
 * each connection that is tried, refused ones too, which no witness at the far end could see.
 *
 *   RIG_TROUBLE   the control file, mapped: what is written into it holds from the next call on
 *   RIG_ROOT      the folder whose disk it is
 *   RIG_CONNECTS  "<monotonic seconds> <port>" is added for each connect() over IP
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* As `trouble.py` packs it. `error`: what writing fails with, 0 while all is well; `below`: only under this folder of the root;
 * `ahead`: seconds that the calendar is ahead of the truth. */
struct control {
    int error;
    int unused;
    double ahead;
    char below[112];
};

static const struct control *volatile now;
static int connects = -1;
static char root[PATH_MAX];

#define REAL(name) \
    static __typeof__(name) *real; \
    if (real == NULL) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static void give_up(const char *what) {
    dprintf(2, "trouble: %s: %s\n", what, strerror(errno));
    abort(); /* a fault that does not happen would be taken for one that does no harm */
}

__attribute__((constructor)) static void begin(void) {
    const char *control = getenv("RIG_TROUBLE"), *told = getenv("RIG_ROOT"), *notes = getenv("RIG_CONNECTS");
    if (control == NULL || told == NULL || notes == NULL)
        return;
    int file = open(control, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        give_up(control);
    void *page = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED)
        give_up(control);
    close(file);
    connects = open(notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (connects < 0)
        give_up(notes);
    snprintf(root, sizeof root, "%s", told);
    now = page;
}

/* --- the disk */

static int is_ours(const char *path) {
    size_t length = strlen(root);
    if (strncmp(path, root, length) != 0 || (path[length] != '/' && path[length] != 0))
        return 0;
    return strncmp(path + length, now->below, strlen(now->below)) == 0;
}

static int fails(int fd) {
    char link[64], path[PATH_MAX];
    if (now == NULL || now->error == 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    if (!is_ours(path))
        return 0;
    errno = now->error;
    return 1;
}

/* A full disk still opens what is there; a read-only one opens nothing for writing. */
static int opening_fails(const char *path, int flags) {
    struct stat told;
    if (now == NULL || now->error == 0 || !is_ours(path))
        return 0;
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT))
        return 0;
    if (now->error == ENOSPC && (!(flags & O_CREAT) || stat(path, &told) == 0))
        return 0;
    errno = now->error;
    return 1;
}

static int changing_fails(const char *path) {
    if (now == NULL || now->error != EROFS || !is_ours(path))
        return 0;
    errno = EROFS;
    return 1;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    return fails(fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    return fails(fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    return fails(fd) ? -1 : real(fd, data, size, at);
}

int fallocate(int fd, int mode, off_t at, off_t size) {
    REAL(fallocate);
    return fails(fd) ? -1 : real(fd, mode, at, size);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
    REAL(fallocate64);
    return fails(fd) ? -1 : real(fd, mode, at, size);
}

int posix_fallocate(int fd, off_t at, off_t size) {
    REAL(posix_fallocate);
    return fails(fd) ? errno : real(fd, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
    REAL(posix_fallocate64);
    return fails(fd) ? errno : real(fd, at, size);
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) {
    REAL(open);
    MODE(flags, mode)
    return opening_fails(path, flags) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    MODE(flags, mode)
    return opening_fails(path, flags) ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    REAL(openat);
    MODE(flags, mode)
    return opening_fails(path, flags) ? -1 : real(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    REAL(openat64);
    MODE(flags, mode)
    return opening_fails(path, flags) ? -1 : real(folder, path, flags, mode);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return changing_fails(from) || changing_fails(to) ? -1 : real(from, to);
}

int unlink(const char *path) {
    REAL(unlink);
    return changing_fails(path) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return changing_fails(path) ? -1 : real(path, mode);
}

/* --- the clock */

int clock_gettime(clockid_t which, struct timespec *told) {
    REAL(clock_gettime);
    int result = real(which, told);
    if (result == 0 && now != NULL && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        told->tv_sec += (time_t)now->ahead;
    return result;
}

int gettimeofday(struct timeval *told, void *zone) {
    REAL(gettimeofday);
    int result = real(told, zone);
    if (result == 0 && now != NULL && told != NULL)
        told->tv_sec += (time_t)now->ahead;
    return result;
}

time_t time(time_t *told) {
    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    if (told != NULL)
        *told = moment.tv_sec;
    return moment.tv_sec;
}

/* --- the net */

int connect(int fd, const struct sockaddr *address, socklen_t size) {
    REAL(connect);
    if (connects >= 0 && address != NULL && (address->sa_family == AF_INET || address->sa_family == AF_INET6)) {
        struct timespec moment;
        char line[64];
        clock_gettime(CLOCK_MONOTONIC, &moment);
        int port = ntohs(((const struct sockaddr_in *)address)->sin_port); /* at the same place in both */
        int length = snprintf(line, sizeof line, "%lld.%06ld %d\n", (long long)moment.tv_sec, moment.tv_nsec / 1000, port);
        if (write(connects, line, (size_t)length) != length)
            give_up("connects");
    }
    return real(fd, address, size);
}
