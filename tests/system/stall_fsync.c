/* LD_PRELOAD: while the file that STALL_FILE names is there, no fsync and no fdatasync returns, as on a card that
 * busies itself; all else goes on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void stall(void) {
    const char *path = getenv("STALL_FILE");
    while (path && access(path, F_OK) == 0) usleep(10000);
}

int fsync(int descriptor) {
    stall();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}

int fdatasync(int descriptor) {
    stall();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(descriptor);
}
