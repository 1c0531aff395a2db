using Godwit.Containers.Monitoring;
using Godwit.Containers.Runtime;
using Godwit.Linux.ControlGroups;
using Godwit.Networks.Containers;
using Godwit.Volumes.Containers;
using Microsoft.Extensions.Logging;

namespace Godwit.Containers;

/// <summary>What containers are made with; one for all of an engine's.</summary>
internal sealed record EngineParts
{
    public required EngineOptions Options { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Log { get; init; }

    public required HostAbilities Host { get; init; }

    public required ControlGroupHost ControlGroups { get; init; }

    public required Monitors Monitors { get; init; }

    public required Crun Crun { get; init; }

    public required IRootFileSystems Roots { get; init; }

    public required NetworkEngine Networks { get; init; }

    public required VolumeEngine Volumes { get; init; }

    public required EventLog Events { get; init; }

    public required Sandboxes Sandboxes { get; init; }

    /// <summary>Another container, by id or name.</summary>
    public required Func<string, Container> Find { get; init; }

    /// <exception cref="NotThereException">There is none.</exception>
    public Sandbox FindSandbox(string id) => Sandboxes.Find(id) ?? throw new NotThereException($"there is no sandbox {id}");

    /// <summary>The engine ends; its containers do not.</summary>
    public required CancellationToken Closing { get; init; }
}
