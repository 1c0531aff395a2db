using System.Globalization;
using Godwit.Oci.Runtime;

namespace Godwit.Containers.Runtime;

/// <summary>A container's <c>config.json</c> out of its plan: the standard surroundings of a container, less what it gives up, more what it asks for.</summary>
internal static class RuntimeSpecBuilder
{
    internal const string InitTarget = "/sbin/docker-init";

    private static readonly string[] MaskedPaths =
    [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    ];

    /// <summary>Written by the engine, in the container's folder there and in <c>/etc</c> here.</summary>
    private static readonly string[] NameFiles = ["hosts", "hostname", "resolv.conf"];

    private static readonly string[] ReadOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    /// <summary>Nothing, then what every program expects: making nodes (not using them), null, zero, full, random, urandom, tty, console, ptmx, pts, tun not.</summary>
    private static readonly RuntimeDeviceRule[] StandardDevices =
    [
        new(false, "rwm"),
        new(true, "m") { Type = "c" },
        new(true, "m") { Type = "b" },
        Rule(1, 3), Rule(1, 5), Rule(1, 7), Rule(1, 8), Rule(1, 9), Rule(5, 0), Rule(5, 1), Rule(5, 2), new(true, "rwm") { Type = "c", Major = 136 },
    ];

    internal static RuntimeSpec Build(RuntimePlan plan)
    {
        var (spec, isolation) = (plan.Spec, plan.Spec.Isolation);
        var capabilities = Capabilities.Choose(isolation, plan.Host.Rights.BoundingCapabilities);
        var ownsHostName = plan.Namespaces.Any(space => space is { Type: "uts", Path: null });
        return new RuntimeSpec
        {
            Root = new RuntimeRoot(plan.RootPath) { ReadOnly = isolation.ReadOnlyRoot },
            HostName = ownsHostName ? spec.HostName ?? plan.Id.Short : null,
            DomainName = ownsHostName && spec.DomainName.Length > 0 ? spec.DomainName : null,
            Annotations = spec.Annotations.Count > 0 ? spec.Annotations : null,
            Process = BuildProcess(spec, plan.Id, plan.User, capabilities) with
            {
                OomScoreAdj = spec.Resources.OutOfMemoryScoreAdjustment,
                Rlimits = BuildLimits(plan),
            },
            Mounts = BuildMounts(plan),
            Linux = new RuntimeLinux
            {
                CgroupsPath = plan.ControlGroupPath,
                Namespaces = plan.Namespaces,
                UidMappings = plan.Ids is { } users ? [new(0, users.FirstUserId, users.Count)] : null,
                GidMappings = plan.Ids is { } groups ? [new(0, groups.FirstGroupId, groups.Count)] : null,
                RootfsPropagation = BuildPropagation(plan.Mounts),
                Sysctl = isolation.KernelSettings.Count > 0 ? isolation.KernelSettings : null,
                MaskedPaths = isolation.MaskedPaths ?? (isolation.Privileged ? null : MaskedPaths),
                ReadOnlyPaths = isolation.ReadOnlyPaths ?? (isolation.Privileged ? null : ReadOnlyPaths),
                Seccomp = isolation.Privileged ? null : BuildSeccomp(isolation.SystemCalls, capabilities),
                Devices = plan.Devices.Count == 0 ? null
                    : [.. plan.Devices.Select(device => new RuntimeDevice(device.Spec.Path, device.Type, device.Major, device.Minor) { FileMode = device.Mode, Uid = device.UserId, Gid = device.GroupId })],
                Resources = ResourcePlan.Build(spec.Resources, plan.Host) with
                {
                    Devices = BuildDeviceRules(plan),
                    BlockIo = ResourcePlan.BuildBlockIo(spec.Resources, plan.Throttled),
                },
            },
        };
    }

    /// <summary>Also for a program executed later: the same process, with its own arguments.</summary>
    internal static RuntimeProcess BuildProcess(ContainerSpec spec, ContainerId id, ContainerUser user, IReadOnlyList<string> capabilities)
    {
        var process = spec.Process;
        var arguments = process.Arguments;
        if (arguments.Count == 0)
        {
            throw new InvalidRequestException("no command is given, and the image names none");
        }

        return new RuntimeProcess
        {
            Terminal = process.Terminal,
            ConsoleSize = process is { Terminal: true, TerminalSize: { } size } ? new RuntimeConsoleSize(size.Rows, size.Columns) : null,
            User = new RuntimeUser(user.UserId, user.GroupId) { AdditionalGids = user.SupplementaryGroupIds.Count > 0 ? user.SupplementaryGroupIds : null },
            Args = spec.Isolation.InitProcess ? [InitTarget, "--", .. arguments] : arguments,
            Env = BuildEnvironment(process, spec.HostName ?? id.Short, user),
            Cwd = process.WorkingDirectory.Length == 0 ? "/" : process.WorkingDirectory,
            NoNewPrivileges = spec.Isolation.NoNewPrivileges,
            // Another user than root has them in no set that counts, as after execve(2): only what its file gives it, within these.
            Capabilities = user.UserId == 0
                ? new RuntimeCapabilities { Bounding = capabilities, Effective = capabilities, Permitted = capabilities }
                : new RuntimeCapabilities { Bounding = capabilities },
        };
    }

    internal static IReadOnlyList<string> BuildEnvironment(ProcessSpec process, string hostName, ContainerUser user)
    {
        var names = new List<string>();
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        Set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        Set("HOSTNAME", hostName);
        if (process.Terminal)
        {
            Set("TERM", "xterm");
        }

        Set("HOME", user.HomeFolder);
        foreach (var entry in process.Environment)
        {
            if (entry.IndexOf('=', StringComparison.Ordinal) is > 0 and var split)
            {
                Set(entry[..split], entry[(split + 1)..]);
            }
        }

        return [.. names.Select(name => $"{name}={values[name]}")];

        void Set(string name, string value)
        {
            if (values.TryAdd(name, value))
            {
                names.Add(name);
            }
            else
            {
                values[name] = value;
            }
        }
    }

    private static List<RuntimeMount> BuildMounts(RuntimePlan plan)
    {
        var (spec, privileged) = (plan.Spec, plan.Spec.Isolation.Privileged);
        var access = privileged ? "rw" : "ro";
        var mounts = new List<RuntimeMount>
        {
            new("/proc", "proc", "proc") { Options = ["nosuid", "noexec", "nodev"] },
            new("/dev", "tmpfs", "tmpfs") { Options = ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            new("/dev/pts", "devpts", "devpts") { Options = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            new("/sys", "sysfs", "sysfs") { Options = ["nosuid", "noexec", "nodev", access] },
            new("/sys/fs/cgroup", "cgroup", "cgroup") { Options = [access, "nosuid", "noexec", "nodev"] },
            new("/dev/mqueue", "mqueue", "mqueue") { Options = ["nosuid", "noexec", "nodev"] },
        };
        if (spec.Isolation.IpcNamespace is NamespaceSpec.Private)
        {
            mounts.Add(new("/dev/shm", "tmpfs", "shm")
            {
                Options = ["nosuid", "noexec", "nodev", "mode=1777", string.Create(CultureInfo.InvariantCulture, $"size={spec.Isolation.SharedMemoryBytes}")],
            });
        }
        else if (plan.SharedMemoryFolder is { } shared)
        {
            mounts.Add(new("/dev/shm", "bind", shared) { Options = ["rbind", "rprivate", "nosuid", "noexec", "nodev"] });
        }
        else if (spec.Isolation.IpcNamespace is NamespaceSpec.OfHost or NamespaceSpec.OfSandbox)
        {
            mounts.Add(new("/dev/shm", "bind", "/dev/shm") { Options = ["rbind", "rprivate", "nosuid", "noexec", "nodev"] });
        }

        if (spec.Isolation.InitProcess)
        {
            var init = plan.Host.InitPath ?? throw new InvalidRequestException("an init process is asked for, and the host has none: install the package tini");
            mounts.Add(new(InitTarget, "bind", init) { Options = ["bind", "ro", "rprivate"] });
        }

        // With the root read-only, the names are too.
        var names = spec.Isolation.ReadOnlyRoot ? "ro" : "rw";
        mounts.AddRange(from file in NameFiles
                        where File.Exists(Path.Combine(plan.Folder, file))
                        select new RuntimeMount($"/etc/{file}", "bind", Path.Combine(plan.Folder, file)) { Options = ["rbind", "rprivate", names, .. MountPlanner.WithIds(plan.Ids)] });

        // What the user mounts takes the place of ours, and a mount comes before those inside it.
        mounts.RemoveAll(mount => plan.Mounts.Any(own => own.Destination == mount.Destination));
        mounts.AddRange(plan.Mounts.OrderBy(mount => mount.Destination.Count(letter => letter == '/')));
        return mounts;
    }

    /// <summary>A mount that is to see what the host mounts later needs a root that does not stop it.</summary>
    private static string? BuildPropagation(IReadOnlyList<RuntimeMount> mounts) => mounts.Any(mount => mount.Options.Contains("rslave") || mount.Options.Contains("slave")) ? "rslave" : null;

    private static IReadOnlyList<RuntimeRlimit> BuildLimits(RuntimePlan plan)
    {
        var hardest = plan.Host.Rights.HardLimits;
        var asked = plan.Spec.Resources.Limits;
        var files = hardest.TryGetValue("nofile", out var hard) && asked.All(limit => limit.Name != "nofile") ? [new ResourceLimitSpec("nofile", hard, hard)] : Array.Empty<ResourceLimitSpec>();
        return ResourcePlan.BuildLimits([.. asked, .. files], hardest);
    }

    private static RuntimeSeccomp? BuildSeccomp(SystemCallFilter filter, IReadOnlyList<string> capabilities) => filter switch
    {
        SystemCallFilter.None => null,
        SystemCallFilter.Custom custom => SystemCallProfileFile.Read(custom.Profile, capabilities),
        _ => SystemCallProfile.Build([.. capabilities]),
    };

    private static IReadOnlyList<RuntimeDeviceRule> BuildDeviceRules(RuntimePlan plan)
    {
        if (plan.Spec.Isolation.Privileged)
        {
            return [new(true, "rwm")];
        }

        return
        [
            .. StandardDevices,
            .. plan.Devices.Select(device => new RuntimeDeviceRule(true, device.Spec.Access) { Type = device.Type, Major = device.Major, Minor = device.Minor }),
            .. plan.Spec.Isolation.DeviceRules.Select(ReadRule),
        ];
    }

    /// <summary>In the kernel's own form: <c>c 10:200 rwm</c>, with <c>*</c> for all numbers.</summary>
    private static RuntimeDeviceRule ReadRule(string text)
    {
        if (text.Split(' ') is [("a" or "b" or "c") and var type, var numbers, var access]
            && numbers.Split(':') is [var major, var minor]
            && TryNumber(major, out var majorNumber) && TryNumber(minor, out var minorNumber)
            && access.Length is > 0 and <= 3 && access.All("rwm".Contains))
        {
            return new RuntimeDeviceRule(true, access) { Type = type, Major = majorNumber, Minor = minorNumber };
        }

        throw new InvalidRequestException($"'{text}' is no rule for devices: the form is 'c 10:200 rwm'");

        static bool TryNumber(string word, out long? number)
        {
            number = long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
            return number is not null || word == "*";
        }
    }

    private static RuntimeDeviceRule Rule(long major, long minor) => new(true, "rwm") { Type = "c", Major = major, Minor = minor };
}
