using System.CommandLine;
using Godwit.App.Builds;
using Godwit.Cli;

namespace Godwit.App.Commands;

/// <summary><c>godwit build</c>: an image from a Dockerfile, by an engine on this host.</summary>
internal static class BuildCommand
{
    /// <summary>They travel in a header, of which a server reads 32 KiB in all.</summary>
    private const int SecretBytesMax = 8 << 10;

    public static Command Create(CliEnvironment environment)
    {
        var shared = new HostOptions();
        var context = new Argument<string>("context") { Description = "Folder whose files the build may copy", DefaultValueFactory = _ => "." };
        var file = new Option<string?>("--file", "-f") { Description = "The Dockerfile (default CONTEXT/Dockerfile); it may lie outside the context", HelpName = "PATH" };
        var tags = new Option<string[]>("--tag", "-t") { Description = "Name of the image; may be repeated", HelpName = "NAME[:TAG]" };
        var arguments = new Option<string[]>("--build-arg") { Description = "Value of an ARG, or its name alone for that of the environment; may be repeated", HelpName = "NAME[=VALUE]" };
        var labels = new Option<string[]>("--label") { Description = "Label of the image; may be repeated", HelpName = "NAME=VALUE" };
        var secrets = new Option<string[]>("--secret") { Description = "A file that RUN --mount=type=secret,id=NAME sees while it runs, and no image has; may be repeated", HelpName = "id=NAME,src=FILE" };
        var target = new Option<string?>("--target") { Description = "Stage to build (default the last)", HelpName = "STAGE" };
        var network = new Option<string?>("--network") { Description = "Network of RUN: default, host or none", HelpName = "MODE" };
        var noCache = new Option<bool>("--no-cache") { Description = "Carry out every step anew" };
        var pull = new Option<bool>("--pull") { Description = "Ask registries for newer base images" };
        var socket = new Option<string?>("--socket") { Description = $"The engine's socket (default {Clusters.Places.DefaultRunFolder}/{EngineCommand.SocketName})", HelpName = "PATH" };
        var command = new Command("build", "Build an image from a Dockerfile, with an engine on this host")
        { context, file, tags, arguments, labels, secrets, target, network, noCache, pull, socket };
        Help.Add(
            command,
            [
                ("godwit build -t app .", "with an engine that 'godwit engine' or 'godwit up' started"),
                ("godwit build -t app --target tests --build-arg VERSION=2 src", "one stage of several"),
            ],
            "Prints each step as it is carried out, and the image's id at last. A build ends with its client: Ctrl-C ends both.");
        command.SetAction(async (parsed, stopping) =>
        {
            var wish = new BuildWish
            {
                Context = Path.GetFullPath(parsed.GetValue(context)!),
                Dockerfile = parsed.GetValue(file) is { } path ? Path.GetFullPath(path) : null,
                Tags = parsed.GetValue(tags) ?? [],
                Arguments = (parsed.GetValue(arguments) ?? []).Select(one => Split(one, environment.Variable)).ToDictionary(StringComparer.Ordinal),
                Labels = (parsed.GetValue(labels) ?? []).Select(one => Split(one, _ => "")).ToDictionary(pair => pair.Key, pair => pair.Value ?? "", StringComparer.Ordinal),
                Secrets = (parsed.GetValue(secrets) ?? []).Select(ReadSecret).ToDictionary(StringComparer.Ordinal),
                Target = parsed.GetValue(target),
                Network = parsed.GetValue(network),
                NoCache = parsed.GetValue(noCache),
                Pull = parsed.GetValue(pull),
            };
            var places = shared.PlacesFrom(parsed);
            return await new ImageBuildClient(environment, Path.GetFullPath(parsed.GetValue(socket) ?? places.DockerSocketPath)).BuildAsync(wish, stopping);
        });
        return command;
    }

    private static KeyValuePair<string, byte[]> ReadSecret(string text)
    {
        var parts = text.Split(',').Select(part => Split(part, _ => null)).ToList();
        if (parts.Find(part => part.Key is "id").Value is not { Length: > 0 } id || parts.Find(part => part.Key is "src" or "source").Value is not { Length: > 0 } path || parts.Exists(part => part.Key is not ("id" or "src" or "source")))
        {
            throw new CliException($"--secret takes id=NAME,src=FILE, not '{text}'.", ExitCodes.Usage);
        }

        if (new FileInfo(path) is not { Exists: true, Length: <= SecretBytesMax })
        {
            throw new CliException($"The secret {id} cannot be read from {path}: a file of at most {SecretBytesMax} bytes is wanted.", ExitCodes.Usage);
        }

        return new(id, File.ReadAllBytes(path));
    }

    private static KeyValuePair<string, string?> Split(string text, Func<string, string?> otherwise) =>
        text.IndexOf('=', StringComparison.Ordinal) is >= 0 and var at ? new(text[..at], text[(at + 1)..]) : new(text, otherwise(text));
}
