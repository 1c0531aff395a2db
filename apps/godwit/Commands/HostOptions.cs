using System.CommandLine;
using System.Globalization;
using System.Net;
using Godwit.App.Clusters;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Godwit.Cli;

namespace Godwit.App.Commands;

/// <summary>Options that several commands share.</summary>
internal sealed class HostOptions
{
    public Option<string?> Data { get; } = new("--data") { Description = $"Folder for all state (default {Places.DefaultDataFolder})", HelpName = "FOLDER" };

    public Option<string?> Images { get; } = new("--images") { Description = $"Folder of guest images (default {Places.DefaultDataFolder}/images, or GODWIT_IMAGES)", HelpName = "FOLDER" };

    public Option<string> LogFormat { get; } = new("--log-format") { Description = "text or json", HelpName = "FORMAT", DefaultValueFactory = _ => "text" };

    public Option<LogLevel> LogLevel { get; } = new("--log-level") { Description = "Trace, Debug, Information, Warning or Error", HelpName = "LEVEL", DefaultValueFactory = _ => Microsoft.Extensions.Logging.LogLevel.Information };

    public Places PlacesFrom(ParseResult parsed) => Places.For(parsed.GetValue(GodwitProgram.Instance), parsed.GetValue(Data), parsed.GetValue(Images));

    /// <summary>Logs to standard error, one line each, so that what a command prints stays its own.</summary>
    public ILoggerFactory LoggersFrom(ParseResult parsed)
    {
        var format = parsed.GetValue(LogFormat);
        if (format is not ("text" or "json"))
        {
            throw new CliException($"--log-format takes text or json, not '{format}'.", ExitCodes.Usage);
        }

        return LoggerFactory.Create(builder =>
        {
            builder.SetMinimumLevel(parsed.GetValue(LogLevel));
            builder.AddFilter("Microsoft.Extensions.Hosting", Microsoft.Extensions.Logging.LogLevel.None); // A start that failed is told once, by us.
            builder.AddFilter("Microsoft", Microsoft.Extensions.Logging.LogLevel.Warning);
            builder.AddConsole(console => console.LogToStandardErrorThreshold = Microsoft.Extensions.Logging.LogLevel.Trace);
            if (format == "json")
            {
                builder.AddJsonConsole(json => json.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ");
            }
            else
            {
                builder.AddSimpleConsole(text =>
                {
                    text.SingleLine = true;
                    text.UseUtcTimestamp = true;
                    text.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
                    text.ColorBehavior = LoggerColorBehavior.Disabled;
                });
            }
        });
    }

    /// <summary>An address from an option; null stays null.</summary>
    public static IPAddress? Address(string option, string? text) => text is null ? null
        : IPAddress.TryParse(text, out var address) ? address
        : throw new CliException($"{option} takes an IP address, not '{text}'.", ExitCodes.Usage);

    /// <summary>ADDRESS:PORT, or PORT of <paramref name="otherwise"/>.</summary>
    public static IPEndPoint EndPoint(string option, string text, IPAddress otherwise)
    {
        if (ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0)
        {
            return new IPEndPoint(otherwise, port);
        }

        return IPEndPoint.TryParse(text, out var endPoint) && endPoint.Port > 0
            ? endPoint
            : throw new CliException($"{option} takes ADDRESS:PORT or PORT, not '{text}'.", ExitCodes.Usage);
    }

    public static void RequireRoot(string what)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            throw new ClusterException($"{what} needs root: it makes network interfaces, cgroups and users for guests. Run it with sudo");
        }
    }
}
