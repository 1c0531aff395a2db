using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.Node.Tests.Guests;

/// <summary>Writes an image as an OCI layout into a folder: what `skopeo copy … oci:FOLDER` leaves there.</summary>
internal static class ImageLayout
{
    /// <summary>Writes one image of the layers, the lowest first, in place of what was there.</summary>
    public static void Write(string folder, params IReadOnlyList<byte[]> layers)
    {
        var blobs = Directory.CreateDirectory(Path.Combine(folder, "blobs", "sha256")).FullName;
        var config = new JsonObject
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject(),
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray([.. layers.Select(layer => (JsonNode)DigestOf(layer))]) },
        };
        var manifest = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = "application/vnd.oci.image.manifest.v1+json",
            ["config"] = Put(blobs, "application/vnd.oci.image.config.v1+json", Encoding.UTF8.GetBytes(config.ToJsonString())),
            ["layers"] = new JsonArray([.. layers.Select(layer => (JsonNode)Put(blobs, "application/vnd.oci.image.layer.v1.tar", layer))]),
        };
        var index = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["manifests"] = new JsonArray(Put(blobs, "application/vnd.oci.image.manifest.v1+json", Encoding.UTF8.GetBytes(manifest.ToJsonString()))),
        };
        File.WriteAllText(Path.Combine(folder, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}""");
        File.WriteAllText(Path.Combine(folder, "index.json"), index.ToJsonString());
    }

    /// <summary>A layer of regular files, as KubeVirt's images of disks have them: for the user 107 alone.</summary>
    public static byte[] Layer(params IReadOnlyList<(string Path, byte[] Contents)> files) => Layer(tar =>
    {
        foreach (var (path, contents) in files)
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, path) { Mode = UnixFileMode.UserRead, Uid = 107, Gid = 107, DataStream = new MemoryStream(contents) });
        }
    });

    public static byte[] Layer(Action<TarWriter> write)
    {
        using var bytes = new MemoryStream();
        using (var tar = new TarWriter(bytes, leaveOpen: true))
        {
            write(tar);
        }

        return bytes.ToArray();
    }

    private static string DigestOf(byte[] bytes) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static JsonObject Put(string blobs, string type, byte[] bytes)
    {
        File.WriteAllBytes(Path.Combine(blobs, DigestOf(bytes)[7..]), bytes);
        return new JsonObject { ["mediaType"] = type, ["digest"] = DigestOf(bytes), ["size"] = bytes.Length };
    }
}
