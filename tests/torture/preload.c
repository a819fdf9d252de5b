/* What a machine can do to a server: another clock, a slow disk, a disk that fails. LD_PRELOADed by tests/torture.

   The file named by FLASHSALE_TORTURE_CONTROL is shared with the torture: struct control below. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t clock_offset_ms, fsync_delay_us, fsync_errno; /* told by the torture */
    int64_t fsyncs_delayed, fsyncs_failed;                /* counted here */
};

static struct control nothing;
static volatile struct control *control = &nothing;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_fsync)(int), (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    const char *path = getenv("FLASHSALE_TORTURE_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) control = shared;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    if (!real_clock_gettime) real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real_clock_gettime(id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ns = now->tv_sec * 1000000000LL + now->tv_nsec + control->clock_offset_ms * 1000000LL;
        now->tv_sec = ns / 1000000000LL;
        now->tv_nsec = ns % 1000000000LL;
    }
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

static int sync_as_told(int (*really)(int), int fd) {
    if (control->fsync_errno) {
        errno = (int)control->fsync_errno;
        __atomic_add_fetch(&control->fsyncs_failed, 1, __ATOMIC_RELAXED);
        return -1;
    }
    if (control->fsync_delay_us) {
        __atomic_add_fetch(&control->fsyncs_delayed, 1, __ATOMIC_RELAXED);
        usleep((useconds_t)control->fsync_delay_us);
    }
    return really(fd);
}

int fsync(int fd) { return sync_as_told(real_fsync, fd); }
int fdatasync(int fd) { return sync_as_told(real_fdatasync, fd); }
