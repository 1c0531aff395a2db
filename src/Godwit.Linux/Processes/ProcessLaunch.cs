using Godwit.Linux.ControlGroups;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Processes;

/// <summary>A long-lived process as it must come to life: what it runs, as whom, and within what bounds.</summary>
public sealed record ProcessLaunch
{
    /// <summary>The program's absolute path; no search path, no shell.</summary>
    public required string Program { get; init; }

    /// <summary>The program's arguments after its name, passed as they stand.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>All of its environment: nothing is inherited but what is named here.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = StandardEnvironment;

    public string WorkingDirectory { get; init; } = "/";

    /// <summary>Where standard output and error are appended. Made with mode 0600 if missing; a symbolic link is refused.</summary>
    public string OutputPath { get; init; } = "/dev/null";

    /// <summary>The user to become; null stays the caller's.</summary>
    public ProcessUser? User { get; init; }

    /// <summary>Whether neither it nor what it starts can gain privileges by exec (prctl PR_SET_NO_NEW_PRIVS).</summary>
    public bool NoNewPrivileges { get; init; } = true;

    /// <summary>The cgroup that it is in before its first instruction.</summary>
    public ControlGroup? ControlGroup { get; init; }

    /// <summary>The network that it sees.</summary>
    public NetworkNamespace NetworkNamespace { get; init; } = NetworkNamespace.Own;

    /// <summary>Upper bounds; one above what the caller itself may grant becomes that.</summary>
    public IReadOnlyList<ResourceLimit> Limits { get; init; } = [new(ResourceKind.CoreDumpBytes, 0)];

    public static IReadOnlyDictionary<string, string> StandardEnvironment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ["LC_ALL"] = "C.UTF-8",
    };
}

/// <summary>Who a process is: no name is looked up, so no account needs to exist.</summary>
public sealed record ProcessUser(uint UserId, uint GroupId)
{
    /// <summary>Groups beyond its own, for example the one that may open <c>/dev/kvm</c>.</summary>
    public IReadOnlyList<uint> SupplementaryGroupIds { get; init; } = [];
}

/// <summary>What a process may use at most, in the unit that the kind names.</summary>
public readonly record struct ResourceLimit(ResourceKind Kind, ulong Value);

/// <summary>The kernel's numbers (getrlimit(2)).</summary>
public enum ResourceKind
{
    FileBytes = 1,
    CoreDumpBytes = 4,
    Processes = 6,
    OpenFiles = 7,
    LockedMemoryBytes = 8,
    AddressSpaceBytes = 9,
}
