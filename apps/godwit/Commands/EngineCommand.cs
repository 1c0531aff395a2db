using System.CommandLine;
using System.Net;
using Godwit.App.Roles;
using Godwit.Cli;
using Godwit.Containers;
using Godwit.DockerApi;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.App.Commands;

/// <summary><c>godwit engine</c>: containers on this host, behind the Docker API.</summary>
internal static class EngineCommand
{
    public const string SocketName = "docker.sock";

    public static Command Create(string version)
    {
        var shared = new HostOptions();
        var socket = new Option<string?>("--socket") { Description = $"Path of the Docker API's socket (default {Clusters.Places.DefaultRunFolder}/{SocketName})", HelpName = "PATH" };
        var registry = new Option<string?>("--default-registry") { Description = "URL of the registry of images whose name has none; without it they are local only", HelpName = "URL" };
        var names = new Option<string[]>("--default-registry-name") { Description = "Name by which the default registry is also called; may be repeated", HelpName = "HOST" };
        var mirror = new Option<string[]>("--registry-mirror") { Description = "URL of a mirror that is asked before the default registry; may be repeated", HelpName = "URL" };
        var insecure = new Option<string[]>("--insecure-registry") { Description = "HOST[:PORT] that may be spoken to without TLS; may be repeated, loopback always is", HelpName = "HOST" };
        var trust = new Option<string>("--registry-certificates")
        { Description = "Folder of folders HOST:PORT with authorities (*.crt) of that registry, and a certificate to show it (*.cert, *.key)", HelpName = "DIR", DefaultValueFactory = _ => RegistryOptions.CertificatesFolderDefault };
        var host = new Option<string[]>("--host") { Description = "tcp://ADDRESS:PORT to answer on besides the socket, to clients with a certificate; may be repeated", HelpName = "URL" };
        var authority = new Option<string?>("--tlscacert") { Description = "PEM file of the authorities that sign clients' certificates", HelpName = "FILE" };
        var certificate = new Option<string?>("--tlscert") { Description = "PEM file of this engine's certificate", HelpName = "FILE" };
        var key = new Option<string?>("--tlskey") { Description = "PEM file of its key", HelpName = "FILE" };
        var users = new Option<string?>("--userns-remap") { Description = "USER[:GROUP] whose subordinate ids stand behind containers' users, or 'default': containers' root is not this host's root", HelpName = "WHO" };
        var command = new Command("engine", "Run the container engine: images and containers behind the Docker API")
        { shared.Data, socket, registry, names, mirror, insecure, trust, host, authority, certificate, key, users, shared.LogFormat, shared.LogLevel };
        Help.Add(
            command,
            [
                ("godwit engine", "until Ctrl-C; containers run on"),
                ($"docker context create godwit --docker host=unix://{Clusters.Places.DefaultRunFolder}/{SocketName}", "then: docker --context godwit run …"),
            ],
            "The socket gives root on this host to whoever may write to it: root and its group. So does --host, to whoever has a certificate for clients.");
        command.SetAction(async (parsed, stopping) =>
        {
            HostOptions.RequireRoot("godwit engine");
            var places = shared.PlacesFrom(parsed);
            using var loggers = shared.LoggersFrom(parsed);
            var engine = EngineRoleOptions.EngineOf(places) with { UserIds = parsed.GetValue(users) is { } who ? SubordinateIds.Take(who, "/etc/subuid", "/etc/subgid") : null };
            var options = new EngineRoleOptions
            {
                SocketPath = Path.GetFullPath(parsed.GetValue(socket) ?? places.DockerSocketPath),
                Engine = engine,
                Doors = [.. (parsed.GetValue(host) ?? []).Select(one => ReadDoor(one, parsed.GetValue(certificate), parsed.GetValue(key), parsed.GetValue(authority)))],
                ImagesFolder = EngineRole.ImagesFolderOf(engine),
                Registries = new RegistryOptions
                {
                    References = new ReferenceRules { DefaultRegistryNames = parsed.GetValue(names) ?? [] },
                    DefaultEndpoint = parsed.GetValue(registry) is { } url ? RegistryUrl("--default-registry", url) : null,
                    Mirrors = parsed.GetValue(mirror) is { Length: > 0 } mirrors
                        ? new Dictionary<string, IReadOnlyList<Uri>>(StringComparer.OrdinalIgnoreCase) { [""] = [.. mirrors.Select(one => RegistryUrl("--registry-mirror", one))] }
                        : new RegistryOptions().Mirrors,
                    CertificatesFolder = Path.GetFullPath(parsed.GetValue(trust)!),
                    Insecure = new HashSet<string>(parsed.GetValue(insecure) ?? [], StringComparer.OrdinalIgnoreCase),
                },
                Version = version,
            };
            await EngineRole.RunAsync(options, loggers, answering: null, stopping);
            return ExitCodes.Done;
        });
        return command;
    }

    private static SecureDoor ReadDoor(string text, string? certificate, string? key, string? authorities)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme != "tcp" || url.Port <= 0 || !IPAddress.TryParse(url.Host.Trim('[', ']'), out var address))
        {
            throw new CliException($"--host takes tcp://ADDRESS:PORT with a numeric address of this host, not '{text}'; the socket's path is --socket's.", ExitCodes.Usage);
        }

        return certificate is not null && key is not null && authorities is not null
            ? SecureDoor.Load(new IPEndPoint(address, url.Port), certificate, key, authorities)
            : throw new CliException($"--host {text} would give root to whoever reaches it: name the certificates of both sides with --tlscert, --tlskey and --tlscacert.", ExitCodes.Usage);
    }

    private static Uri RegistryUrl(string option, string text) => Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
        ? url
        : throw new CliException($"{option} takes https://HOST[:PORT] or http://HOST[:PORT], not '{text}'.", ExitCodes.Usage);
}
