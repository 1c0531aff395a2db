using System.Diagnostics;
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
    /// <param name="imagesFolder">The folder.</param>
    /// <param name="programs">Programs of this host that are in it besides, with the libraries that they are linked with.</param>
    public static void WriteTo(string imagesFolder, params IReadOnlyList<string> programs)
    {
        Assert.SkipUnless(File.Exists(Busybox), "busybox is not installed (package busybox-static)");
        var folder = Directory.CreateDirectory(Path.Combine(imagesFolder, "containers")).FullName;
        var layer = Layer(programs);
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

    private static byte[] Layer(IReadOnlyList<string> programs)
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

            foreach (var program in programs)
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"bin/{Path.GetFileName(program)}") { Mode = everybody, DataStream = new MemoryStream(File.ReadAllBytes(program)) });
            }

            foreach (var library in programs.SelectMany(LibrariesOf).Distinct(StringComparer.Ordinal))
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, library.TrimStart('/')) { Mode = everybody, DataStream = new MemoryStream(File.ReadAllBytes(library)) });
            }
        }

        return bytes.ToArray();
    }

    /// <summary>What ldd(1) says that a program is linked with, the loader itself among it.</summary>
    private static IEnumerable<string> LibrariesOf(string program)
    {
        using var process = Process.Start(new ProcessStartInfo("ldd", [program]) { RedirectStandardOutput = true })!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"ldd {program} ended with {process.ExitCode}: {text}");
        return text.Split([' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries).Where(word => word.StartsWith('/'));
    }
}
