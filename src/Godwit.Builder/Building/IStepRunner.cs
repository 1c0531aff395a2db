using Godwit.Builder.Dockerfiles;
using Godwit.Images;

namespace Godwit.Builder.Building;

/// <summary>One RUN, with all variables known.</summary>
public sealed record StepRun
{
    /// <summary>What it runs on.</summary>
    public required StoredImage Image { get; init; }

    /// <summary>Program and arguments.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary><c>NAME=value</c>.</summary>
    public required IReadOnlyList<string> Environment { get; init; }

    public required string WorkingDirectory { get; init; }

    public required string User { get; init; }

    /// <summary><c>default</c>, <c>none</c> or <c>host</c>.</summary>
    public required string Network { get; init; }

    public IReadOnlyList<StepMount> Mounts { get; init; } = [];

    /// <summary>Makes another member of each of the layer's.</summary>
    public Func<Images.Tar.TarEntry, Images.Tar.TarEntry>? Change { get; init; }
}

/// <summary>A mount for the time of one RUN: a path of the host, or memory where that is null.</summary>
public sealed record StepMount(string? HostPath, string Target, bool IsReadOnly, long? SizeBytes = null)
{
    /// <summary>
    /// Its files are the step's: a step whose users are not the host's sees them under its own ids. Not so a tree that is itself shown by overlayfs, which the kernel
    /// shows with no other ids.
    /// </summary>
    public bool HasContainerIds { get; init; }
}

/// <summary>Carries out RUN: in containers in the program, in a double in tests.</summary>
public interface IStepRunner
{
    /// <summary>Runs it to its end.</summary>
    /// <param name="output">Gets what it prints, as it comes.</param>
    /// <returns>The exit code, and the layer that it made: null where it changed nothing or failed. Until an image has the layer, <paramref name="keep"/> keeps it.</returns>
    /// <param name="keep">Called with the layer while it is still held, to make an image of it.</param>
    Task<int> RunAsync(StepRun run, Action<bool, ReadOnlyMemory<byte>> output, Func<ImageLayer?, Task> keep, CancellationToken stopping);
}
