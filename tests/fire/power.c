/* What a power failure would leave. Preloaded into the product's process (LD_PRELOAD), it keeps a second, durable picture of
 * the folder RIG_ROOT in RIG_SHADOW: at each fsync or fdatasync of a file the file's bytes as they then are, at each fsync of
 * a folder the names that it then has. Whatever was never synced is not in the picture. `power.py` puts it in the place of
 * the folder. A byte that was written and not yet synced may be in the picture, as it may be on a real disk.
 *
 *   RIG_SHADOW/files/<inode>-<birth>      the bytes of a file
 *   RIG_SHADOW/names/<inode of a folder>  "<inode>-<birth> <name>" a line
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void give_up(const char *what) {
    dprintf(2, "power: %s: %s\n", what, strerror(errno));
    abort(); /* a picture with a hole would accuse the product of what it did not do */
}

static int is_ours(int fd, char *path) {
    char link[64];
    const char *root = getenv("RIG_ROOT");
    if (root == NULL || getenv("RIG_SHADOW") == NULL)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    size_t of_root = strlen(root);
    return strncmp(path, root, of_root) == 0 && (path[of_root] == '/' || path[of_root] == 0);
}

static int key_of(int at, const char *name, int flags, char *key, size_t room, mode_t *mode) {
    struct statx told;
    if (statx(at, name, flags | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME | STATX_TYPE, &told) != 0)
        return -1;
    long long birth = told.stx_mask & STATX_BTIME ? told.stx_btime.tv_sec * 1000000000LL + told.stx_btime.tv_nsec : 0;
    snprintf(key, room, "%llu-%lld", (unsigned long long)told.stx_ino, birth);
    *mode = told.stx_mode;
    return 0;
}

static int begin(const char *kind, const char *key, char *draft, char *whole) {
    const char *shadow = getenv("RIG_SHADOW");
    snprintf(whole, PATH_MAX, "%s/%s/%s", shadow, kind, key);
    snprintf(draft, PATH_MAX, "%s/draft-%d", shadow, getpid());
    int out = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0)
        give_up(draft);
    return out;
}

static void end(int out, const char *draft, const char *whole) {
    if (close(out) != 0 || rename(draft, whole) != 0)
        give_up(whole);
}

static void picture_file(int fd, const char *path) {
    char key[64], draft[PATH_MAX], whole[PATH_MAX];
    static char buffer[1 << 20];
    mode_t mode;
    if (key_of(fd, "", AT_EMPTY_PATH, key, sizeof key, &mode) != 0)
        give_up(path);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        if (errno == ENOENT) /* synced and already without a name: nothing that could come back */
            return;
        give_up(path);
    }
    int out = begin("files", key, draft, whole);
    ssize_t got;
    off_t at = 0;
    while ((got = pread(in, buffer, sizeof buffer, at)) > 0) {
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(out, buffer + done, (size_t)(got - done));
            if (put < 0)
                give_up(draft);
            done += put;
        }
        at += got;
    }
    close(in);
    end(out, draft, whole);
}

static void picture_folder(int fd, const char *path) {
    char key[64], draft[PATH_MAX], whole[PATH_MAX];
    mode_t mode;
    struct stat told;
    if (fstat(fd, &told) != 0)
        give_up(path);
    snprintf(key, sizeof key, "%llu", (unsigned long long)told.st_ino);
    DIR *folder = opendir(path);
    if (folder == NULL)
        give_up(path);
    int out = begin("names", key, draft, whole);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (key_of(dirfd(folder), entry->d_name, 0, key, sizeof key, &mode) == 0)
            dprintf(out, "%s %s\n", key, entry->d_name);
    }
    closedir(folder);
    end(out, draft, whole);
}

static int synced(int fd, int result) {
    char path[PATH_MAX];
    struct stat told;
    int kept = errno;
    if (result == 0 && is_ours(fd, path) && fstat(fd, &told) == 0) {
        pthread_mutex_lock(&one_at_a_time);
        if (S_ISDIR(told.st_mode))
            picture_folder(fd, path);
        else if (S_ISREG(told.st_mode))
            picture_file(fd, path);
        pthread_mutex_unlock(&one_at_a_time);
    }
    errno = kept;
    return result;
}

int fsync(int fd) {
    static int (*real)(int);
    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return synced(fd, real(fd));
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return synced(fd, real(fd));
}
