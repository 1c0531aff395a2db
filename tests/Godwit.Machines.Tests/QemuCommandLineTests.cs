using Godwit.Volumes;

namespace Godwit.Machines.Tests;

/// <summary>The whole command line, as an operator would read it in the process list. A change here is a change of the guests' hardware.</summary>
public sealed class QemuCommandLineTests
{
    private static readonly QemuPaths Paths = new("/m/qmp.sock", "/m/rescue", "/m/console.sock");

    [Fact]
    public void Kernel_guest_with_a_NIC_under_TCG() => AssertIs(
        """
        -no-user-config
        -nodefaults
        -display none
        -name guest=default/web,debug-threads=on
        -uuid 0f8fad5b-d9cb-469f-a165-70867728950e
        -S
        -action reboot=reset,shutdown=pause,panic=pause
        -msg timestamp=on
        -machine pc-q35-10.0,usb=off,vmport=off,dump-guest-core=off
        -accel tcg,thread=multi,tb-size=256
        -cpu max
        -m 512M
        -smp cpus=2,sockets=1,cores=2,threads=1,maxcpus=2
        -rtc base=utc
        -boot strict=on
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -chardev socket,id=monitor,path=/m/qmp.sock,server=on,wait=off
        -mon chardev=monitor,mode=control
        -chardev pipe,id=rescue,path=/m/rescue
        -mon chardev=rescue,mode=control
        -chardev socket,id=console,path=/m/console.sock,server=on,wait=off
        -chardev ringbuf,id=log,size=1048576
        -chardev hub,id=serial,chardevs.0=console,chardevs.1=log
        -serial chardev:serial
        -object rng-random,id=random,filename=/dev/urandom
        -device virtio-rng-pci,id=rng,rng=random,bus=pcie.0,addr=0x1d
        -kernel /images/tiny/vmlinuz
        -append console=ttyS0
        -initrd /images/tiny/initrd
        -netdev tap,id=net0,ifname=gw-0f8fad5b,script=no,downscript=no,vhost=off
        -device virtio-net-pci,id=nic0,netdev=net0,mac=02:00:00:00:00:01,bus=pcie.0,addr=0x3,romfile=,host_mtu=1450
        """,
        QemuCommandLine.Build(Samples.KernelGuest, Paths, Accelerator.Tcg, MachineStart.Boot));

    [Fact]
    public void Disk_guest_that_arrives_under_KVM() => AssertIs(
        """
        -no-user-config
        -nodefaults
        -display none
        -name guest=default/a,,b,debug-threads=on
        -uuid 0f8fad5b-d9cb-469f-a165-70867728950e
        -S
        -action reboot=reset,shutdown=pause,panic=pause
        -msg timestamp=on
        -machine pc-i440fx-10.0,usb=off,vmport=off,dump-guest-core=off
        -accel kvm
        -cpu EPYC,+x2apic
        -m 512M
        -smp cpus=2,sockets=1,cores=2,threads=1,maxcpus=2
        -rtc base=utc
        -boot strict=on
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -chardev socket,id=monitor,path=/m/qmp.sock,server=on,wait=off
        -mon chardev=monitor,mode=control
        -chardev pipe,id=rescue,path=/m/rescue
        -mon chardev=rescue,mode=control
        -chardev socket,id=console,path=/m/console.sock,server=on,wait=off
        -chardev ringbuf,id=log,size=1048576
        -chardev hub,id=serial,chardevs.0=console,chardevs.1=log
        -serial chardev:serial
        -object rng-random,id=random,filename=/dev/urandom
        -device virtio-rng-pci,id=rng,rng=random,bus=pci.0,addr=0x1d
        -blockdev {"driver":"file","node-name":"disk0-file","filename":"/m/root,x.qcow2","locking":"on","aio":"threads","discard":"unmap","read-only":false}
        -blockdev {"driver":"qcow2","node-name":"disk0","file":"disk0-file","discard":"unmap","read-only":false}
        -device virtio-blk-pci,id=virtio-disk0,drive=disk0,bus=pci.0,addr=0x10,serial=root,werror=stop,rerror=report,bootindex=1
        -blockdev {"driver":"file","node-name":"disk1-file","filename":"/m/seed.iso","locking":"on","aio":"threads","discard":"unmap","read-only":true}
        -blockdev {"driver":"raw","node-name":"disk1","file":"disk1-file","discard":"unmap","read-only":true}
        -device virtio-blk-pci,id=virtio-disk1,drive=disk1,bus=pci.0,addr=0x11,serial=a-name-of-more-than-,werror=stop,rerror=report
        -incoming defer
        """,
        QemuCommandLine.Build(
            Samples.KernelGuest with
            {
                DisplayName = "default/a,b",
                MachineType = "pc-i440fx-10.0",
                CpuModel = "EPYC,+x2apic",
                Kernel = null,
                Nics = [],
                Disks =
                [
                    new MachineDisk("root", "/m/root,x.qcow2", DiskFormat.Qcow2, ReadOnly: false, BootOrder: 1),
                    new MachineDisk("a-name-of-more-than-20-characters", "/m/seed.iso", DiskFormat.Raw, ReadOnly: true),
                ],
            },
            Paths,
            Accelerator.Kvm,
            MachineStart.Incoming));

    [Fact]
    public void Host_paths_are_all_that_differs_between_the_ends_of_a_move()
    {
        var source = QemuCommandLine.Build(Samples.KernelGuest, Paths, Accelerator.Tcg, MachineStart.Boot);
        var target = QemuCommandLine.Build(Samples.KernelGuest, new QemuPaths("/n/qmp.sock", "/n/rescue", "/n/console.sock"), Accelerator.Tcg, MachineStart.Incoming);
        Assert.Equal([.. source.Select(word => word.Replace("/m/", "/n/", StringComparison.Ordinal)), "-incoming", "defer"], target);
    }

    private static void AssertIs(string expected, IReadOnlyList<string> arguments)
    {
        var lines = new List<string>();
        foreach (var argument in arguments)
        {
            if (argument.StartsWith('-') || lines.Count == 0)
            {
                lines.Add(argument);
            }
            else
            {
                lines[^1] += " " + argument;
            }
        }

        Assert.Equal(expected, string.Join('\n', lines));
    }
}
