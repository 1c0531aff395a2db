using Godwit.Real.Tests.Docker;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Examples;

/// <summary>The tests of the examples: one after the other, with one engine, for what they build is the same.</summary>
[CollectionDefinition(Name)]
public sealed class ExampleCollection : ICollectionFixture<ExampleLab>
{
    public const string Name = "examples";
}

/// <summary>An engine with the images of the database and its page, built once for all tests from Debian's packages by the example's own scripts.</summary>
public sealed class ExampleLab : IAsyncLifetime
{
    /// <summary>Fetching and unpacking some hundred packages, on shared cores.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(15);

    private DockerLab? lab;
    private bool built;
    private Dictionary<string, string> environment = [];

    /// <summary>A copy of the example's folder.</summary>
    internal string Folder { get; private set; } = "";

    internal int Port { get; } = Ports.Free();

    internal string PasswordFile => Path.Combine(Folder, "root-password");

    internal string ClientFolder => environment["DOCKER_CONFIG"];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask; // A fixture cannot be skipped; each test asks for the images.

    /// <summary>Makes the images of the database and its page ready; skips the test where something is missing.</summary>
    internal async Task OpenAsync(CancellationToken stopping)
    {
        Assert.SkipUnless(File.Exists(Browser.Program), $"needs {Browser.Program}: install the package chromium-headless-shell");
        await OpenEngineAsync(stopping);
        if (!built)
        {
            await ScriptAsync("build.sh");
            built = true;
        }
    }

    /// <summary>Makes an engine ready, and writes a password; skips the test where something is missing.</summary>
    internal async Task OpenEngineAsync(CancellationToken stopping)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/mmdebstrap"), "needs mmdebstrap: install the package mmdebstrap");
        if (lab is null)
        {
            lab = await DockerLab.OpenAsync();
            Folder = Copy();
            environment = new Dictionary<string, string>(lab.ClientEnvironment, StringComparer.Ordinal) { ["MYSQL_IMAGE"] = "example/mysql", ["PHPMYADMIN_IMAGE"] = "example/phpmyadmin", ["PORT"] = $"{Port}" };
            await File.WriteAllTextAsync(PasswordFile, "a-password_of.11\n", stopping);
        }
    }

    internal Task ScriptAsync(string script, params string[] arguments) => RunAsync(Path.Combine(Folder, script), arguments);

    /// <summary>Runs the real <c>docker</c> in the example's folder.</summary>
    internal Task<string> DockerAsync(params string[] arguments) => RunAsync("/usr/bin/env", [$"--chdir={Folder}", DockerClients.Newest!, .. arguments]);

    public async ValueTask DisposeAsync()
    {
        if (lab is not null)
        {
            await lab.DisposeAsync();
            Directory.Delete(Folder, recursive: true);
        }
    }

    /// <summary>Runs a program whose <c>docker</c> speaks to this engine.</summary>
    internal async Task<string> RunAsync(string program, params string[] arguments) =>
        (await Command.RunAsync(program, arguments, Bound, environment: environment)).MustSucceed().Output.TrimEnd();

    private static string Copy()
    {
        var folder = Directory.CreateTempSubdirectory("gwd-example-").FullName;
        foreach (var file in Directory.EnumerateFiles(Find()))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        return folder;
    }

    private static string Find()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            var example = Path.Combine(folder, "examples", "mysql-phpmyadmin");
            if (Directory.Exists(example))
            {
                return example;
            }
        }

        throw new InvalidOperationException("The folder examples is not above this program.");
    }
}
