using System.CommandLine;
using Godwit.Cli;
using Godwit.Store.Etcd;

namespace Godwit.App.Commands;

/// <summary>The flags by which a command is told of an etcd; the same for the server and for a copy.</summary>
internal sealed class EtcdFlags(string name, string description)
{
    public Option<string?> Address { get; } = new(name) { Description = description, HelpName = "etcd://HOST:PORT,…" };

    public Option<string?> Authority { get; } = new("--store-ca") { Description = "Certificate of the etcd members' authority, PEM (default this host's authorities)", HelpName = "FILE" };

    public Option<string?> Certificate { get; } = new("--store-cert") { Description = "Certificate that is shown to etcd, PEM; with --store-key", HelpName = "FILE" };

    public Option<string?> Key { get; } = new("--store-key") { Description = "Private key of --store-cert, PEM", HelpName = "FILE" };

    public Option<bool> Plain { get; } = new("--store-plain") { Description = "Speak to etcd unencrypted, also beyond this host's loopback: anybody on the way reads every secret" };

    /// <summary>What they say, or null when no etcd was named.</summary>
    public EtcdStoreOptions? From(ParseResult parsed)
    {
        var (authority, certificate, key, isPlain) = (parsed.GetValue(Authority), parsed.GetValue(Certificate), parsed.GetValue(Key), parsed.GetValue(Plain));
        if (parsed.GetValue(Address) is not { } text)
        {
            return authority is null && certificate is null && key is null && !isPlain ? null
                : throw new CliException($"--store-ca, --store-cert, --store-key and --store-plain are about an etcd: name it with {Address.Name}.", ExitCodes.Usage);
        }

        EtcdAddress address;
        try
        {
            address = EtcdAddress.Parse(text);
        }
        catch (FormatException error)
        {
            throw new CliException($"{Address.Name}: {error.Message}.", ExitCodes.Usage);
        }

        if ((certificate is null) != (key is null))
        {
            throw new CliException("--store-cert and --store-key go together.", ExitCodes.Usage);
        }

        if (isPlain && (authority ?? certificate) is not null)
        {
            throw new CliException("--store-plain speaks without encryption: leave out the certificates, or leave out --store-plain.", ExitCodes.Usage);
        }

        if (!isPlain && (authority ?? certificate) is null && !address.IsLoopback)
        {
            throw new CliException($"{address} is not on this host's loopback: name its authority with --store-ca, and a certificate for us with --store-cert and --store-key; or say --store-plain, and everybody on the way reads every secret.", ExitCodes.Usage);
        }

        return new EtcdStoreOptions(address) { AuthorityFile = authority, CertificateFile = certificate, KeyFile = key, AllowsPlain = isPlain };
    }
}
