using Godwit.Api.Meta.V1;

namespace Godwit.Api.Core.V1;

/// <summary>A command run in the container; it succeeds with exit code 0.</summary>
public sealed record ExecAction
{
    public IReadOnlyList<string> Command { get; init => field = value ?? []; } = [];
}

/// <summary>One header.</summary>
public sealed record HTTPHeader
{
    public string Name { get; init => field = value ?? ""; } = "";

    public string Value { get; init => field = value ?? ""; } = "";
}

/// <summary>An HTTP GET; it succeeds with a code of 200 to 399.</summary>
public sealed record HTTPGetAction
{
    public string? Path { get; init; }

    public IntOrText Port { get; init; }

    public string? Host { get; init; }

    public string? Scheme { get; init; }

    public IReadOnlyList<HTTPHeader> HttpHeaders { get; init => field = value ?? []; } = [];
}

/// <summary>A TCP connection; it succeeds when it is accepted.</summary>
public sealed record TCPSocketAction
{
    public IntOrText Port { get; init; }

    public string? Host { get; init; }
}

/// <summary>A gRPC health check.</summary>
public sealed record GRPCAction
{
    public int Port { get; init; }

    public string? Service { get; init; }
}

/// <summary>A pause.</summary>
public sealed record SleepAction
{
    public long Seconds { get; init; }
}

/// <summary>How a container is asked how it is; exactly one way.</summary>
public sealed record Probe
{
    public ExecAction? Exec { get; init; }

    public HTTPGetAction? HttpGet { get; init; }

    public TCPSocketAction? TcpSocket { get; init; }

    public GRPCAction? Grpc { get; init; }

    public int? InitialDelaySeconds { get; init; }

    public int? TimeoutSeconds { get; init; }

    public int? PeriodSeconds { get; init; }

    public int? SuccessThreshold { get; init; }

    public int? FailureThreshold { get; init; }

    public long? TerminationGracePeriodSeconds { get; init; }
}

/// <summary>Something done at a turn of a container's life; exactly one way.</summary>
public sealed record LifecycleHandler
{
    public ExecAction? Exec { get; init; }

    public HTTPGetAction? HttpGet { get; init; }

    public TCPSocketAction? TcpSocket { get; init; }

    public SleepAction? Sleep { get; init; }
}

/// <summary>What is done at the turns of a container's life.</summary>
public sealed record Lifecycle
{
    public LifecycleHandler? PostStart { get; init; }

    public LifecycleHandler? PreStop { get; init; }
}
