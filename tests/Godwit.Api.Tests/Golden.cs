using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Godwit.Api.Tests;

/// <summary>
/// Documents that foreign clients read, kept in the tree. Run the tests with <c>GODWIT_UPDATE_GOLDEN=1</c> to write what
/// is served now, and read the difference before you commit it.
/// </summary>
internal static class Golden
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Check(string name, ReadOnlySpan<byte> json, [CallerFilePath] string testFile = "") =>
        CheckText(name + ".json", JsonNode.Parse(json)!.ToJsonString(Readable) + "\n", testFile);

    public static void CheckText(string name, string text, [CallerFilePath] string testFile = "")
    {
        var path = Path.Combine(Path.GetDirectoryName(testFile)!, "Golden", name);
        if (Environment.GetEnvironmentVariable("GODWIT_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }

        Assert.True(File.Exists(path), $"There is no {path} yet: run with GODWIT_UPDATE_GOLDEN=1.");
        Assert.Equal(File.ReadAllText(path), text);
    }
}
