namespace Godwit.Networks.Tests;

/// <summary>What a test needs of the host; a missing need is skipped aloud.</summary>
internal static class Needs
{
    internal static void Root() => Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root: run the tests as root");

    internal static void Program(string path) => Assert.SkipUnless(File.Exists(path), $"needs {path}");
}
