using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.Real.Tests.Hosts;

/// <summary>A small image made from the host's static busybox, as an archive of the form of <c>docker save</c>: what nodes take images from without a registry.</summary>
internal static class BoxImage
{
    public const string Name = "box:1";
    private const string Busybox = "/bin/busybox";

    private static readonly string[] Applets = ["sh", "cat", "echo", "sleep", "tar", "nc", "ls", "hostname", "id", "kill", "test", "true", "wget", "httpd", "env", "head", "mkdir", "rm", "nslookup", "ps", "seq"];

    /// <summary>Writes it to where the nodes of an images folder look.</summary>
    public static void WriteTo(string imagesFolder)
    {
        Assert.SkipUnless(File.Exists(Busybox), "busybox is not installed (package busybox-static)");
        var folder = Directory.CreateDirectory(Path.Combine(imagesFolder, "containers")).FullName;
        var layer = Layer();
        var config = new JsonObject
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject { ["Env"] = new JsonArray("PATH=/bin"), ["Cmd"] = new JsonArray("sh") },
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray("sha256:" + Convert.ToHexStringLower(SHA256.HashData(layer))) },
        };
        var manifest = new JsonArray(new JsonObject { ["Config"] = "config.json", ["RepoTags"] = new JsonArray(Name), ["Layers"] = new JsonArray("layer.tar") });
        using var tar = new TarWriter(File.Create(Path.Combine(folder, "box.tar")));
        foreach (var (name, bytes) in new[] { ("config.json", Encoding.UTF8.GetBytes(config.ToJsonString())), ("layer.tar", layer), ("manifest.json", Encoding.UTF8.GetBytes(manifest.ToJsonString())) })
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
        }
    }

    private static byte[] Layer()
    {
        const UnixFileMode everybody = (UnixFileMode)0b111_101_101;
        using var bytes = new MemoryStream();
        using (var tar = new TarWriter(bytes, leaveOpen: true))
        {
            foreach (var name in new[] { "bin", "etc", "tmp", "root", "proc", "sys", "dev" })
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, name) { Mode = everybody });
            }

            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "bin/busybox") { Mode = everybody, DataStream = new MemoryStream(File.ReadAllBytes(Busybox)) });
            foreach (var applet in Applets)
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, $"bin/{applet}") { LinkName = "busybox" });
            }
        }

        return bytes.ToArray();
    }
}
