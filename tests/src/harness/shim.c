// Preloaded into the gateway by the tests: a slow disk and a clock that jumps. The file named by FAULT_SHIM holds two little-endian 64-bit
// numbers: microseconds that every fsync and fdatasync takes longer, and milliseconds that CLOCK_REALTIME is ahead.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *control(void) {
  static volatile int64_t *page;
  if (!page) {
    const char *path = getenv("FAULT_SHIM");
    int fd = path ? open(path, O_RDONLY) : -1;
    void *p = fd >= 0 ? mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0) close(fd);
    static int64_t none[2];
    page = p == MAP_FAILED ? none : p;
  }
  return page;
}

static void slow(void) {
  int64_t us = control()[0];
  if (us > 0) {
    struct timespec t = {us / 1000000, (us % 1000000) * 1000};
    nanosleep(&t, NULL);
  }
}

int fsync(int fd) {
  slow();
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  slow();
  return (int)syscall(SYS_fdatasync, fd);
}

int clock_gettime(clockid_t id, struct timespec *t) {
  int r = (int)syscall(SYS_clock_gettime, id, t);
  if (r == 0 && id == CLOCK_REALTIME) {
    int64_t ms = control()[1];
    t->tv_sec += ms / 1000;
    t->tv_nsec += (ms % 1000) * 1000000;
    if (t->tv_nsec >= 1000000000) { t->tv_sec++; t->tv_nsec -= 1000000000; }
    if (t->tv_nsec < 0) { t->tv_sec--; t->tv_nsec += 1000000000; }
  }
  return r;
}
