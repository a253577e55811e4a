/* The process that holds a pod's namespaces: it waits, and leaves when told. */
#include <signal.h>
#include <unistd.h>

static void leave(int signal_number) {
    (void)signal_number;
    _exit(0);
}

int main(void) {
    signal(SIGINT, leave);
    signal(SIGTERM, leave);
    for (;;) pause();
}
