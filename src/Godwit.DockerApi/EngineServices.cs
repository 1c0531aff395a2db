using Godwit.Builder;
using Godwit.Containers;
using Godwit.Images;
using Microsoft.Extensions.Logging;

namespace Godwit.DockerApi;

/// <summary>What the API speaks for.</summary>
public sealed record EngineServices
{
    public required ContainerEngine Containers { get; init; }

    public required ImageStore Images { get; init; }

    public required ImageBuilder Builder { get; init; }

    /// <summary>Where contexts of builds are unpacked; what lies there when the engine starts is nobody's.</summary>
    public required string BuildsFolder { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILoggerFactory Loggers { get; init; }

    /// <summary>The program's version.</summary>
    public required string Version { get; init; }

    /// <summary>Shown to clients as the engine's root folder.</summary>
    public required string DataFolder { get; init; }
}
