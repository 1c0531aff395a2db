using System.Runtime.CompilerServices;

namespace Godwit.Cli.Tests;

/// <summary>
/// Text that people read, kept in the tree. Run the tests with <c>GODWIT_UPDATE_GOLDEN=1</c> to write what is printed
/// now, and read the difference before you commit it.
/// </summary>
internal static class Golden
{
    public static void Check(string name, string printed, [CallerFilePath] string testFile = "")
    {
        var path = Path.Combine(Path.GetDirectoryName(testFile)!, "Golden", name + ".txt");
        if (Environment.GetEnvironmentVariable("GODWIT_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, printed);
        }

        Assert.True(File.Exists(path), $"There is no {path} yet: run with GODWIT_UPDATE_GOLDEN=1.");
        Assert.Equal(File.ReadAllText(path), printed);
    }
}
