using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Linux.Files;

namespace Godwit.Networks.Containers;

/// <summary>Networks on disk, a file each, named by their ids.</summary>
internal sealed class NetworkStore(string folder)
{
    internal IReadOnlyList<ContainerNetwork> Load()
    {
        Directory.CreateDirectory(folder);
        return [.. Directory.EnumerateFiles(folder, "*.json").Select(Read).OfType<ContainerNetwork>().OrderBy(network => network.CreatedAt)];
    }

    internal void Save(ContainerNetwork network) => DurableFile.Write(PathOf(network.Id), JsonSerializer.SerializeToUtf8Bytes(network, NetworkJson.Default.ContainerNetwork));

    internal void Delete(string id) => DurableFile.Delete(PathOf(id));

    private string PathOf(string id) => Path.Combine(folder, id + ".json");

    private static ContainerNetwork? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), NetworkJson.Default.ContainerNetwork);
        }
        catch (JsonException)
        {
            return null; // Not a file of ours: ours are whole or not there.
        }
    }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(ContainerNetwork))]
internal sealed partial class NetworkJson : JsonSerializerContext;
