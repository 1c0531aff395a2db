using Godwit.Api.Core.V1;
using Godwit.Containers;
using ContainerState = Godwit.Containers.ContainerState;

namespace Godwit.Node.Pods;

/// <summary>A pod's object, as far as it is known.</summary>
internal abstract record PodObject
{
    private PodObject()
    {
    }

    /// <summary>It is bound to this node.</summary>
    internal sealed record Present(Pod Pod) : PodObject;

    /// <summary>The server says that there is none of this identity here.</summary>
    internal sealed record Absent : PodObject;

    /// <summary>The server cannot be asked: everything stays as it is.</summary>
    internal sealed record Unknown : PodObject;
}

/// <summary>One run of one of the pod's containers.</summary>
/// <param name="Id">The engine's id.</param>
/// <param name="Name">The container's name in the pod.</param>
/// <param name="Attempt">Counted from zero: how often it was started anew.</param>
/// <param name="Streak">Runs in a row before it that ended too soon.</param>
/// <param name="State">Of the engine.</param>
internal sealed record PodRun(string Id, string Name, int Attempt, int Streak, ContainerState State)
{
    /// <summary>The content's id that the image's name meant when it was made.</summary>
    public string ImageId { get; init; } = "";

    internal bool IsAlive => State.IsAlive;

    /// <summary>Null while it has not ended.</summary>
    internal ContainerExit? Exit => State switch
    {
        ContainerState.Exited exited => exited.Exit,
        ContainerState.Created { Failure: { } failure } => new ContainerExit(failure.Code, OutOfMemory: false, failure.At, failure.At, failure.Words),
        _ => null,
    };
}

/// <summary>What probes and hooks have said of a run that goes on.</summary>
/// <param name="Started">Its startup probe has succeeded, or it has none.</param>
/// <param name="Ready">Its readiness probe says so, or it has none.</param>
/// <param name="Failure">Why it must be ended: liveness, startup, or its first hook; null when nothing is wrong.</param>
internal sealed record RunHealth(bool Started, bool Ready, string? Failure)
{
    internal static RunHealth Unknown { get; } = new(false, false, null);
}

/// <summary>Why a container could not be started, and when it is tried again.</summary>
/// <param name="Reason">As Kubernetes says it: <c>ErrImagePull</c>, <c>CreateContainerConfigError</c>, …</param>
internal sealed record StartTrouble(string Reason, string Message, int Count, DateTimeOffset NotBefore);

/// <summary>Everything that is known of one pod at one moment.</summary>
internal sealed record PodView
{
    public required PodObject Object { get; init; }

    public required DateTimeOffset Now { get; init; }

    /// <summary>All runs that the engine has, in order of their attempts.</summary>
    public IReadOnlyList<PodRun> Runs { get; init; } = [];

    /// <summary>It stands, and is connected.</summary>
    public bool HasSandbox { get; init; }

    public string HostAddress { get; init; } = "";

    /// <summary>By the run's id.</summary>
    public IReadOnlyDictionary<string, RunHealth> Health { get; init; } = new Dictionary<string, RunHealth>(StringComparer.Ordinal);

    /// <summary>By the container's name.</summary>
    public IReadOnlyDictionary<string, StartTrouble> Troubles { get; init; } = new Dictionary<string, StartTrouble>(StringComparer.Ordinal);

    /// <summary>Runs that are being ended already.</summary>
    public IReadOnlySet<string> Ending { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Why the pod as a whole must end: its time is over, or the node is short of something. Null when nothing is wrong.</summary>
    public PodVerdict? Verdict { get; init; }

    internal PodRun? LastRun(string container) => Runs.LastOrDefault(run => run.Name == container);

    internal RunHealth HealthOf(PodRun run) => Health.GetValueOrDefault(run.Id, RunHealth.Unknown);
}

/// <summary>The node's own decision to end a pod for good.</summary>
internal sealed record PodVerdict(string Reason, string Message)
{
    /// <summary>What its containers are given to end; null: what the pod asks for.</summary>
    public TimeSpan? Grace { get; init; }
}

/// <summary>One thing to do.</summary>
internal abstract record PodStep
{
    private PodStep()
    {
    }

    internal sealed record MakeSandbox : PodStep;

    internal sealed record Start(Container Container, int Attempt, int Streak) : PodStep;

    /// <summary>With grace, in the background; its end wakes the pod.</summary>
    internal sealed record End(PodRun Run, TimeSpan Grace, string Why) : PodStep;

    /// <summary>Takes the files of a run that has ended away.</summary>
    internal sealed record Discard(PodRun Run) : PodStep;

    /// <summary>Sandbox, volumes and what is left of the containers.</summary>
    internal sealed record Remove : PodStep;

    internal sealed record Publish(PodStatus Status) : PodStep;

    /// <summary>Tells the server that nothing of it runs any more: the object goes.</summary>
    internal sealed record Release : PodStep;
}

/// <summary>What to do now, and when to look again though nothing changes.</summary>
internal sealed record PodDecision(IReadOnlyList<PodStep> Steps, DateTimeOffset? LookAgainAt);
