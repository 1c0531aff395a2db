using Godwit.Linux.Native;

namespace Godwit.Linux.Processes;

/// <summary>How willingly the calling thread gives way to others (setpriority(2); on Linux the value belongs to the thread).</summary>
public static class ThreadNiceness
{
    /// <summary>Sets it from -20 (first in line) to 19; false when the right is missing (CAP_SYS_NICE), which costs precision, not correctness.</summary>
    public static bool TrySet(int niceness) => LibC.SetPriority(0, 0, niceness) == 0;
}
