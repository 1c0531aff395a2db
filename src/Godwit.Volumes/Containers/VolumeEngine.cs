using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Linux.Files;

namespace Godwit.Volumes.Containers;

/// <summary>
/// Named volumes: folders that outlive the containers that use them. A volume is there when its description is; its files are below <c>_data</c>. Who uses it is known by
/// <see cref="Use"/>, told again by containers' records when the engine starts.
/// </summary>
public sealed class VolumeEngine
{
    private const int NameLengthMax = 255;
    private const UnixFileMode DataMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly string folder;
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private readonly Dictionary<string, HashSet<string>> users = new(StringComparer.Ordinal);

    private VolumeEngine(string folder, TimeProvider time)
    {
        this.folder = folder;
        this.time = time;
    }

    /// <summary>Opens the volumes of this folder.</summary>
    public static VolumeEngine Open(string folder, TimeProvider time)
    {
        Directory.CreateDirectory(folder);
        return new VolumeEngine(folder, time);
    }

    public IReadOnlyList<ContainerVolume> List() => [.. Directory.EnumerateDirectories(folder).Select(Read).OfType<ContainerVolume>().OrderBy(volume => volume.Name, StringComparer.Ordinal)];

    /// <summary>The volume of this name; null when there is none, as there is of a name that none can have.</summary>
    public ContainerVolume? Find(string name) => IsName(name) ? Read(Path.Combine(folder, name)) : null;

    /// <summary>The volume of this name, made where it is not.</summary>
    /// <exception cref="VolumeException">The name is none, or an option is not supported.</exception>
    public ContainerVolume Create(string name, IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string> driverOptions)
    {
        CheckName(name);
        if (driverOptions.Count > 0)
        {
            throw new VolumeException($"cannot make volume {name}: the options {string.Join(", ", driverOptions.Keys)} of the local driver are not supported; mount the place itself and bind it");
        }

        lock (gate)
        {
            if (Read(Path.Combine(folder, name)) is { } found)
            {
                return found;
            }

            var home = Path.Combine(folder, name);
            Directory.CreateDirectory(Path.Combine(home, "_data"), DataMode);
            var made = new ContainerVolume(name, time.GetUtcNow(), labels) { Path = Path.Combine(home, "_data") };
            DurableFile.Write(Path.Combine(home, "volume.json"), JsonSerializer.SerializeToUtf8Bytes(made, VolumeJson.Default.ContainerVolume));
            return made;
        }
    }

    /// <summary>From now on this container uses the volume.</summary>
    public void Use(string name, string containerId)
    {
        lock (gate)
        {
            if (!users.TryGetValue(name, out var set))
            {
                users.Add(name, set = new HashSet<string>(StringComparer.Ordinal));
            }

            set.Add(containerId);
        }
    }

    /// <summary>The container is gone.</summary>
    public void Release(string containerId)
    {
        lock (gate)
        {
            foreach (var set in users.Values)
            {
                set.Remove(containerId);
            }
        }
    }

    public int CountUsers(string name)
    {
        lock (gate)
        {
            return users.TryGetValue(name, out var set) ? set.Count : 0;
        }
    }

    /// <exception cref="VolumeException">There is none, or a container uses it.</exception>
    public void Remove(string name)
    {
        lock (gate)
        {
            var volume = Find(name) ?? throw new VolumeException($"no such volume: {name}") { IsMissing = true };
            if (users.TryGetValue(name, out var set) && set.Count > 0)
            {
                throw new VolumeException($"cannot remove volume {name}: volume is in use by {string.Join(", ", set)}") { IsInUse = true };
            }

            Delete(volume);
        }
    }

    /// <summary>Removes a container's anonymous volume unless another container uses it too.</summary>
    public bool TryRemove(string name, string containerId)
    {
        lock (gate)
        {
            if (Find(name) is not { } volume || (users.TryGetValue(name, out var set) && set.Any(user => user != containerId)))
            {
                return false;
            }

            users.Remove(name);
            Delete(volume);
            return true;
        }
    }

    /// <summary>Removes the volumes that no container uses and that the filter takes.</summary>
    public (IReadOnlyList<string> Removed, long ReclaimedBytes) Prune(Func<ContainerVolume, bool> filter)
    {
        var removed = new List<string>();
        var bytes = 0L;
        foreach (var volume in List().Where(filter))
        {
            lock (gate)
            {
                if (users.TryGetValue(volume.Name, out var set) && set.Count > 0)
                {
                    continue;
                }

                bytes += MeasureBytes(volume.Name);
                Delete(volume);
                removed.Add(volume.Name);
            }
        }

        return (removed, bytes);
    }

    /// <summary>Length of the files in it.</summary>
    public long MeasureBytes(string name)
    {
        var data = Path.Combine(folder, CheckName(name), "_data");
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };
        return Directory.Exists(data) ? new DirectoryInfo(data).EnumerateFiles("*", options).Sum(file => file.Length) : 0;
    }

    private void Delete(ContainerVolume volume)
    {
        // Its description first: what is left after a cut is no volume, and is made anew by its name.
        var home = Path.Combine(folder, volume.Name);
        DurableFile.Delete(Path.Combine(home, "volume.json"));
        Directory.Delete(home, recursive: true);
    }

    private static ContainerVolume? Read(string home)
    {
        try
        {
            var read = JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(home, "volume.json")), VolumeJson.Default.ContainerVolume);
            return read is null ? null : read with { Path = Path.Combine(home, "_data") };
        }
        catch (Exception gone) when (gone is IOException or JsonException)
        {
            return null;
        }
    }

    private static bool IsName(string name) =>
        name.Length is > 1 and <= NameLengthMax && char.IsAsciiLetterOrDigit(name[0]) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '.' or '-');

    private static string CheckName(string name) =>
        IsName(name)
            ? name
            : throw new VolumeException($"'{name}' is no name for a volume: two or more letters, digits, '_', '.' and '-', the first a letter or digit");
}

/// <summary>A named volume.</summary>
public sealed record ContainerVolume(string Name, DateTimeOffset CreatedAt, IReadOnlyDictionary<string, string> Labels)
{
    /// <summary>Where its files are on the host.</summary>
    [JsonIgnore]
    public string Path { get; init; } = "";
}

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(ContainerVolume))]
internal sealed partial class VolumeJson : JsonSerializerContext;
