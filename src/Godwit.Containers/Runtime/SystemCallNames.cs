namespace Godwit.Containers.Runtime;

/// <summary>
/// System calls that any program may make: those of the kernel's tables for x86-64, i386 and the generic architectures, without
/// those that change the host (mounts, modules, clocks, swap, reboot), look at other programs, or reach parts of the kernel
/// that are not confined by namespaces (keys, bpf, perf, io_uring, userfaultfd). Names unknown to a host's kernel do no harm.
/// </summary>
internal static class SystemCallNames
{
    internal static IReadOnlyList<string> Everyday { get; } = Split(
        """
        _llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 arm_sync_file_range bind breakpoint brk
        cacheflush cachestat capget capset chdir chmod chown chown32 clock_getres clock_getres_time64 clock_gettime clock_gettime64
        clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
        epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
        fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
        flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex
        futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents
        getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
        getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid
        gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
        io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule
        landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat
        llistxattr llseek lremovexattr lseek lsetxattr lsm_get_self_attr lsm_list_modules lstat lstat64 madvise map_shadow_stack membarrier
        memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr
        mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget
        msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat nice oldfstat oldlstat oldolduname oldstat
        olduname open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll
        ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read
        readahead readdir readlink readlinkat readv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat
        rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
        rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
        sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
        sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
        semtimedop_time64 sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address set_tls setfsgid
        setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid
        setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat sgetmask shmat
        shmctl shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend socketpair
        splice ssetmask stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range sync_file_range2 syncfs sysinfo
        tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
        timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask
        uname unlink unlinkat utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
        """);

    /// <summary>More for those who hold a capability (capabilities(7)).</summary>
    internal static IReadOnlyDictionary<string, IReadOnlyList<string>> ByCapability { get; } = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal)
    {
        ["CAP_SYS_ADMIN"] = Split(
            """
            bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open
            pivot_root quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
            """),
        ["CAP_SYS_PTRACE"] = Split("kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev"),
        ["CAP_SYS_BOOT"] = Split("reboot"),
        ["CAP_SYS_CHROOT"] = Split("chroot"),
        ["CAP_SYS_MODULE"] = Split("delete_module finit_module init_module"),
        ["CAP_SYS_PACCT"] = Split("acct"),
        ["CAP_SYS_RAWIO"] = Split("ioperm iopl"),
        ["CAP_SYS_TIME"] = Split("clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday stime"),
        ["CAP_SYS_TTY_CONFIG"] = Split("vhangup"),
        ["CAP_SYS_NICE"] = Split("get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node"),
        ["CAP_SYSLOG"] = Split("syslog"),
        ["CAP_DAC_READ_SEARCH"] = Split("open_by_handle_at"),
        ["CAP_BPF"] = Split("bpf"),
        ["CAP_PERFMON"] = Split("perf_event_open"),
    };

    private static string[] Split(string names) => names.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
