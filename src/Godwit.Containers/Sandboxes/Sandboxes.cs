using System.Collections.Concurrent;
using System.Text.Json;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Files;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Linux.Processes;

namespace Godwit.Containers;

/// <summary>
/// The sandboxes of one engine. A sandbox is no process: its namespaces are kept by mounts, its bounds by a cgroup, so nothing of it can die but with the host, and it costs no memory.
/// <code>
///   RunFolder/sandboxes/ID/   ipc uts (mounted on: the namespaces)   shm/ (memory)   hosts hostname resolv.conf
///                             sandbox.json: written last; without it a making was not finished, and is begun anew
///   /run/netns/PREFIX-ID      the network
/// </code>
/// All of it is gone after the host's restart, as are the processes that were in it: who wants the sandbox makes it again.
/// </summary>
public sealed class Sandboxes
{
    private const int IdLengthMax = 40;
    private const int HostNameLengthMax = 63;
    private const string RecordName = "sandbox.json";

    private readonly ConcurrentDictionary<string, Sandbox> known = new(StringComparer.Ordinal);
    private readonly string folder;
    private readonly string prefix;
    private readonly ControlGroupHost groups;
    private readonly TimeProvider time;

    private Sandboxes(string folder, string prefix, ControlGroupHost groups, TimeProvider time)
    {
        this.folder = folder;
        this.prefix = prefix;
        this.groups = groups;
        this.time = time;
    }

    /// <summary>Finds those that stand. Before any monitor's place is made: what is mounted here later must be seen there.</summary>
    internal static Sandboxes Open(EngineOptions options, ControlGroupHost groups, TimeProvider time)
    {
        var opened = new Sandboxes(Path.Combine(options.RunFolder, "sandboxes"), options.DevicePrefix, groups, time);
        if (!options.UsesSandboxes)
        {
            return opened;
        }

        Directory.CreateDirectory(opened.folder);
        NetworkNamespace.ShareNames();
        Mounts.Share(opened.folder);
        foreach (var home in Directory.EnumerateDirectories(opened.folder))
        {
            if (Read(Path.Combine(home, RecordName)) is { } sandbox && sandbox.Spec.Id == Path.GetFileName(home) && Stands(sandbox))
            {
                opened.known[sandbox.Spec.Id] = sandbox;
            }
        }

        return opened;
    }

    public IReadOnlyList<Sandbox> List() => [.. known.Values.OrderBy(sandbox => sandbox.Spec.Id, StringComparer.Ordinal)];

    public Sandbox? Find(string id) => known.GetValueOrDefault(id);

    /// <summary>Makes it; one that stands stays as it is but for its files and bounds, which are as asked now. One caller at a time for one id.</summary>
    /// <exception cref="InvalidRequestException">The spec makes no sense.</exception>
    public Sandbox Ensure(SandboxSpec spec)
    {
        Check(spec);
        if (!Directory.Exists(folder))
        {
            throw new InvalidRequestException("this engine was opened without sandboxes");
        }

        var group = groups.Create(spec.ControlGroup);
        group.SetLimits(spec.Limits);
        if (Find(spec.Id) is { } standing)
        {
            WriteFiles(standing with { Spec = spec });
            return standing;
        }

        var made = new Sandbox(spec, Path.Combine(folder, spec.Id), spec.HostNetwork ? null : $"{prefix}-{spec.Id}", time.GetUtcNow());
        TakeAway(made); // What a making left that was not finished.
        Directory.CreateDirectory(made.Folder);
        WriteFiles(made);
        MakeNamespaces(made);
        DurableFile.Replace(Path.Combine(made.Folder, RecordName), JsonSerializer.SerializeToUtf8Bytes(made, SandboxJson.Default.Sandbox));
        known[spec.Id] = made;
        return made;
    }

    /// <summary>Takes it away. Nothing may run in it. Idempotent.</summary>
    internal async Task RemoveAsync(string id, CancellationToken stopping)
    {
        if (!known.TryGetValue(id, out var gone))
        {
            return;
        }

        TakeAway(gone);
        await groups.Open(gone.Spec.ControlGroup).RemoveAsync(stopping);
        known.TryRemove(id, out _);
    }

    private static void MakeNamespaces(Sandbox made)
    {
        if (made.NetworkName is { } network)
        {
            using var routes = RouteSocket.Open(NetworkNamespace.Create(network));
            routes.ChangeLink(routes.GetLink("lo").Index, new LinkChange { IsUp = true });
        }

        // Both are made together; one that is not wanted is let go of.
        KeptNamespaces.Create(Path.Combine(made.Folder, "ipc"), Path.Combine(made.Folder, "uts"), made.Spec.HostName);
        if (made.SharedMemoryFolder is { } memory)
        {
            Directory.CreateDirectory(memory);
            Mounts.MountMemory(memory, made.Spec.SharedMemoryBytes);
            File.SetUnixFileMode(memory, (UnixFileMode)0b1_111_111_111);
        }
    }

    private static void WriteFiles(Sandbox sandbox)
    {
        const UnixFileMode readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        foreach (var (name, text) in new[] { ("hosts", sandbox.Spec.Hosts), ("hostname", sandbox.Spec.HostName + "\n"), ("resolv.conf", sandbox.Spec.Resolver) })
        {
            // In place: containers have the file itself, not its name.
            var path = Path.Combine(sandbox.Folder, name);
            if (!File.Exists(path) || File.ReadAllText(path) != text)
            {
                File.WriteAllText(path, text);
                File.SetUnixFileMode(path, readable);
            }
        }
    }

    private static void TakeAway(Sandbox gone)
    {
        if (gone.NetworkName is { } network && NetworkNamespace.Find(network) is not null)
        {
            NetworkNamespace.Delete(network);
        }

        if (!Directory.Exists(gone.Folder))
        {
            return;
        }

        File.Delete(Path.Combine(gone.Folder, RecordName)); // First: from here on it does not stand.
        KeptNamespaces.Delete(Path.Combine(gone.Folder, "ipc"));
        KeptNamespaces.Delete(Path.Combine(gone.Folder, "uts"));
        if (Directory.Exists(Path.Combine(gone.Folder, "shm")))
        {
            Mounts.Unmount(Path.Combine(gone.Folder, "shm"));
        }

        Directory.Delete(gone.Folder, recursive: true);
    }

    private static bool Stands(Sandbox sandbox) => sandbox.NetworkName is null || NetworkNamespace.Find(sandbox.NetworkName) is not null;

    private static Sandbox? Read(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), SandboxJson.Default.Sandbox) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void Check(SandboxSpec spec)
    {
        if (spec.Id.Length is 0 or > IdLengthMax || !spec.Id.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'))
        {
            throw new InvalidRequestException($"'{spec.Id}' is no id for a sandbox: 1 to {IdLengthMax} letters, digits and '-'");
        }

        if (spec.HostName.Length is 0 or > HostNameLengthMax || !spec.HostName.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.'))
        {
            throw new InvalidRequestException($"'{spec.HostName}' is no name for a host: 1 to {HostNameLengthMax} letters, digits, '-' and '.'");
        }
    }
}
