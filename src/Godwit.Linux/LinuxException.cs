using System.Runtime.InteropServices;

namespace Godwit.Linux;

/// <summary>The kernel refused something: what was tried, on what, and its reason.</summary>
public sealed class LinuxException : Exception
{
    /// <param name="attempt">What was tried, on what, as the start of a sentence: <c>create cgroup /sys/fs/cgroup/godwit</c>.</param>
    /// <param name="error">The kernel's reason.</param>
    /// <param name="advice">What to do about it, when this place knows better than the reader of the reason.</param>
    public LinuxException(string attempt, Errno error, string? advice = null)
        : base(Describe(attempt, error, advice))
    {
        Attempt = attempt;
        Error = error;
    }

    public string Attempt { get; }

    public Errno Error { get; }

    /// <summary>The failure of the libc call that this thread has just made. Call it before anything else can change errno.</summary>
    internal static LinuxException FromLastCall(string attempt) => new(attempt, (Errno)Marshal.GetLastPInvokeError());

    private static string Describe(string attempt, Errno error, string? advice)
    {
        var name = Enum.IsDefined(error) ? error.ToString() : $"errno {(int)error}";
        var words = $"cannot {attempt}: {Marshal.GetPInvokeErrorMessage((int)error)} ({name})";
        advice ??= error switch
        {
            Errno.EPERM or Errno.EACCES => "run as root with CAP_NET_ADMIN and CAP_SYS_ADMIN",
            Errno.EMFILE => "raise the limit of open files (ulimit -n)",
            _ => null,
        };
        return advice is null ? words : $"{words}; {advice}";
    }
}
