using System.Runtime.InteropServices;
using Godwit.Oci.Runtime;

namespace Godwit.Containers.Runtime;

/// <summary>
/// The standard system call filter (seccomp(2)): what is not allowed fails with EPERM, as for a program without the right. What newer
/// libraries try first, and older ways do as well (clone3, for its flags lie in memory where no filter can look), fails with ENOSYS.
/// </summary>
internal static class SystemCallProfile
{
    private const string Allow = "SCMP_ACT_ALLOW";
    private const string Refuse = "SCMP_ACT_ERRNO";
    private const uint EPERM = 1;
    private const uint ENOSYS = 38;

    /// <summary>clone(2)'s flags that make namespaces: user, PID, network, mount, IPC, host name, cgroup.</summary>
    private const ulong NamespaceFlags = 0x7E02_0000;

    private const ulong AF_VSOCK = 40;

    /// <summary>Personalities that take no protection away: Linux, 32-bit, old uname(2), and the question for the present one.</summary>
    private static readonly ulong[] Personalities = [0x0, 0x0008, 0x20000, 0x20008, 0xffff_ffff];

    internal static RuntimeSeccomp Build(IReadOnlyCollection<string> capabilities)
    {
        var calls = new List<RuntimeSystemCalls>
        {
            new(SystemCallNames.Everyday, Allow),
            // Since Linux 4.8 a tracer cannot step around the filter.
            new(["ptrace"], Allow),
            // Sockets of every family but the one to the hypervisor, which no namespace confines.
            new(["socket"], Allow) { Args = [new(0, AF_VSOCK, 0, "SCMP_CMP_NE")] },
            new(["socketcall"], Allow),
        };
        calls.AddRange(Personalities.Select(value => new RuntimeSystemCalls(["personality"], Allow) { Args = [new(0, value, 0, "SCMP_CMP_EQ")] }));
        if (!capabilities.Contains("CAP_SYS_ADMIN"))
        {
            calls.Add(new(["clone"], Allow) { Args = [new(0, NamespaceFlags, 0, "SCMP_CMP_MASKED_EQ")] });
            calls.Add(new(["clone3"], Refuse) { ErrnoRet = ENOSYS });
        }

        var more = capabilities.Order(StringComparer.Ordinal)
            .SelectMany(capability => SystemCallNames.ByCapability.TryGetValue(capability, out var names) ? names : [])
            .Distinct(StringComparer.Ordinal).ToList();
        if (more.Count > 0)
        {
            calls.Add(new(more, Allow));
        }

        return new RuntimeSeccomp { DefaultAction = Refuse, DefaultErrnoRet = EPERM, Architectures = Architectures, Syscalls = calls };
    }

    /// <summary>With the 32-bit architectures that the processor runs beside its own: a filter that did not know them would not hold for them.</summary>
    private static IReadOnlyList<string> Architectures { get; } = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm64 => ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        _ => ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    };
}
