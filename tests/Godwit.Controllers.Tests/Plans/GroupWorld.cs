using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Controllers.Groups;
using Godwit.Scheduling;

namespace Godwit.Controllers.Tests.Plans;

/// <summary>A cluster for the planners of groups: nodes n1, n2, … of 16 GiB, and guests on them.</summary>
internal static class GroupWorld
{
    public static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(50);

    public static MigrationWorld Of(
        IReadOnlyList<VirtualMachineInstance> guests, IReadOnlyList<string> nodes, IReadOnlyList<VirtualMachineInstanceMigration>? moves = null, DateTimeOffset? now = null, string memory = "16Gi")
    {
        var made = nodes.Select(name => NewNode(name, memory)).ToList();
        return new MigrationWorld
        {
            Cluster = ClusterSnapshot.Of(made, guests, moves ?? []),
            Instances = CacheSnapshot.Of(guests),
            Migrations = CacheSnapshot.Of(moves ?? []),
            Nodes = CacheSnapshot.Of(made),
            Policies = [],
            Namespaces = CacheSnapshot.Of<Namespace>([]),
            Limits = new MigrationLimits(),
            Now = now ?? Now,
        };
    }

    public static VirtualMachineInstance Vmi(string name, string node, string memory = "512Mi", string phase = "Running", string? home = null, string? eviction = null) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = "ns",
            Name = name,
            Uid = "uid-" + name,
            Annotations = home is null ? [] : new Dictionary<string, string> { [AnnotationNames.HomeNode] = home },
        },
        Spec = new VirtualMachineInstanceSpec { EvictionStrategy = eviction, Domain = new DomainSpec { Memory = new Memory { Guest = Quantity.Parse(memory) } } },
        Status = new VirtualMachineInstanceStatus { NodeName = node, Phase = phase },
    };

    /// <summary>A guest as its node has measured it: memory in use, what it writes in a second, and the link.</summary>
    public static MemberForecast Measured(string name, long residentMiB = 256, long dirtyMiBPerSecond = 5, long linkMiBPerSecond = 100, string source = "n1", string target = "n2", long diskMiB = 0)
    {
        static ModeForecast Takes(double ms, double stop) => new()
        {
            TotalMs = new ForecastRange { Low = (long)(ms * 0.8), High = (long)(ms * 1.2) },
            DowntimeMs = new ForecastRange { Low = (long)(stop * 0.8), High = (long)(stop * 1.2) },
        };
        var seconds = (double)(residentMiB + diskMiB) / linkMiBPerSecond;
        string[] modes = [MigrationModes.Precopy, MigrationModes.Postcopy, MigrationModes.Hybrid];
        var status = new ForecastStatus
        {
            Phase = ForecastPhases.Completed,
            Observed = new ForecastInputs
            {
                MemoryBytes = 512L << 20,
                NonZeroBytes = residentMiB << 20,
                LinkBytesPerSecond = linkMiBPerSecond << 20,
                DiskBytes = diskMiB > 0 ? diskMiB << 20 : null,
                DiskWrittenBytesPerSecond = diskMiB > 0 ? 0 : null,
                DirtyCurve = [new DirtyCurvePoint { WindowMs = 1000, UniqueBytes = dirtyMiBPerSecond << 20 }],
            },
            Modes = [.. modes.Select(mode => new ModeComparison { Mode = mode, Forecast = Takes((seconds * 1000) + 1000, 50) })],
        };
        var member = new GroupMember { Namespace = "ns", Name = name, Uid = "uid-" + name, Phase = GroupMemberPhases.Waiting, SourceNode = source, TargetNode = target };
        return MemberForecast.Of(member, Vmi(name, source), new Forecast { Status = status });
    }

    private static Node NewNode(string name, string memory) => new()
    {
        Metadata = new ObjectMeta
        {
            Name = name,
            Labels = new Dictionary<string, string> { [LabelNames.Hostname] = name },
            Annotations = new Dictionary<string, string> { [AnnotationNames.UnderlayAddress] = "10.0.0.1" },
        },
        Status = new NodeStatus
        {
            Allocatable = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse("64"), ["memory"] = Quantity.Parse(memory) },
            Conditions = [new NodeCondition { Type = "Ready", Status = "True" }],
        },
    };
}
