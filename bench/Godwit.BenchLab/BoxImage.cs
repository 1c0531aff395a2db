using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.BenchLab;

/// <summary>The smallest image that pods can run: this host's static busybox, as an archive of the form of <c>docker save</c>, which nodes take without a registry.</summary>
public static class BoxImage
{
    public const string Name = "box:1";
    private const string Busybox = "/bin/busybox";

    private static readonly string[] Applets = ["sh", "sleep", "httpd", "mkdir", "hostname"];

    /// <summary>Makes a folder of images with it alone.</summary>
    /// <param name="folder">The images folder; made where it is not there.</param>
    /// <exception cref="FileNotFoundException">busybox is not installed.</exception>
    public static void WriteTo(string folder)
    {
        if (!File.Exists(Busybox))
        {
            throw new FileNotFoundException("busybox is not installed (package busybox-static)", Busybox);
        }

        var containers = Directory.CreateDirectory(Path.Combine(folder, "containers")).FullName;
        var layer = Layer();
        var config = new JsonObject
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject { ["Env"] = new JsonArray("PATH=/bin"), ["Cmd"] = new JsonArray("sh") },
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray("sha256:" + Convert.ToHexStringLower(SHA256.HashData(layer))) },
        };
        var manifest = new JsonArray(new JsonObject { ["Config"] = "config.json", ["RepoTags"] = new JsonArray(Name), ["Layers"] = new JsonArray("layer.tar") });
        using var tar = new TarWriter(File.Create(Path.Combine(containers, "box.tar")));
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
